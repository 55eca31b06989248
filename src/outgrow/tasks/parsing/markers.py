r"""Where a worked text states its answer: in `\boxed{...}`, or after "the answer is"."""

from __future__ import annotations

import re
from collections.abc import Iterator

LONGEST_TEXT = 20_000
"""Characters of a text that are looked at, from its end where it states its answer there."""
_LOOKED_AT = 20  # boxes and phrases from the end; keeps hostile texts cheap
_LONGEST_BOX = 2_000  # characters

_BOX = re.compile(r"\\f?box(?:ed)?(?![a-z])\s*")
_WORD = re.compile(r"[^\s${}\\]+")
_BOLD = re.compile(r"(?<![\w)])(?:\*\*|__)|(?:\*\*|__)(?![\w(])")  # but 10**6 is a power
_SENTENCE = r"\s*\S[^\n]*?(?:\n|[.!?][*_)\]}\"'”`$]{0,4}"
_FINISHED = {False: re.compile(rf"{_SENTENCE}(?=\s))"), True: re.compile(rf"{_SENTENCE}(?=\s|$))")}
"""Up to where a statement has ended; at the end of a text only a choice has, since a number may go on as 12.5 does."""
_WORDS_ALONE = 3
_PHRASE = re.compile(r"\banswers?\s{0,3}(?:is\b|are\b|[:=])\s{0,3}:?", re.IGNORECASE)


def last_boxed(text: str) -> str | None:
    r"""What the last `\boxed{...}` or `\fbox{...}` with balanced braces holds; `\boxed 5` holds the word behind it.

    A box whose braces do not close is passed over for the one before it.
    """
    return next((text[start:end].strip() for start, end in _boxes(text)), None)


def behind_box(text: str) -> str:
    r"""What follows the last `\boxed{...}`; the whole text where it has none."""
    return text[next((end for _, end in _boxes(text)), 0) :]


def _boxes(text: str) -> Iterator[tuple[int, int]]:
    """Where what boxes hold begins and ends, the last first."""
    for found in reversed(list(_BOX.finditer(text))[-_LOOKED_AT:]):
        if text[found.end() : found.end() + 1] == "{":
            start, end = found.end() + 1, _closing_brace(text, found.end())
        else:
            word = _WORD.match(text, found.end())
            start, end = found.end(), None if word is None else word.end()
        if end is not None and text[start:end].strip():
            yield start, end


def _closing_brace(text: str, start: int) -> int | None:
    depth, escaped = 0, False
    for place in range(start, min(len(text), start + _LONGEST_BOX)):
        character = text[place]
        if escaped:
            escaped = False
        elif character == "\\":
            escaped = True
        elif character == "{":
            depth += 1
        elif character == "}":
            depth -= 1
            if depth == 0:
                return place
    return None


def before_cut(text: str, *, choice: bool) -> str | None:
    r"""What a text says completely although it was cut off at its end.

    It is the text up to the end of its last finished statement: a `\boxed{...}` that closes, a line behind `####` that
    ends, "the answer is ..." up to the end of its line or sentence. Without one it is the first line, if that ended and
    has up to three words, as an answer alone has. A choice may also be the whole text, or stand on a first line of any
    length, of which the last word counts only where something stands behind it.

    Args:
        text: the reply, cut off at the most tokens it could have.
        choice: whether one of some options was to be said.

    Returns:
        A part of the text; None where its answer may have been cut off.
    """
    ends = [end + 1 for _, end in _boxes(text) if text[end : end + 1] == "}"]
    starts = [found.end() for found in _PHRASE.finditer(text)][-_LOOKED_AT:]
    starts += [found.end() for found in re.finditer("####", text)][-_LOOKED_AT:]
    ends += [found.end() for found in (_FINISHED[choice].match(text, start) for start in starts) if found is not None]
    if ends:
        return text[: max(ends)]
    line, ended, _ = text.lstrip().partition("\n")
    if not choice:
        return line if ended and len(line.split()) <= _WORDS_ALONE else None
    return line if ended or len(line.split()) <= 1 else line.rsplit(maxsplit=1)[0]


def after_phrases(text: str) -> list[str]:
    """What follows "the answer is", "Answer:" or "answer =": the first line with text, for each phrase, last first.

    Bold marks are taken out.
    """
    text = _BOLD.sub("", text)
    ends = [found.end() for found in _PHRASE.finditer(text)]
    rests = (text[end : end + _LONGEST_BOX].lstrip() for end in reversed(ends[-_LOOKED_AT:]))
    return [rest.splitlines()[0].strip() for rest in rests if rest]

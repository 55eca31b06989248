r"""Where a worked text states its answer: in `\boxed{...}`, or after "the answer is"."""

from __future__ import annotations

import re

_LOOKED_AT = 20  # boxes and phrases from the end; keeps hostile texts cheap
_LONGEST_BOX = 2_000  # characters

_BOX = re.compile(r"\\f?box(?:ed)?(?![a-z])\s*")
_WORD = re.compile(r"[^\s${}\\]+")
_BOLD = re.compile(r"(?<![\w)])(?:\*\*|__)|(?:\*\*|__)(?![\w(])")  # but 10**6 is a power
_PHRASE = re.compile(r"\banswers?\s{0,3}(?:is\b|are\b|[:=])\s{0,3}:?", re.IGNORECASE)


def last_boxed(text: str) -> str | None:
    r"""What the last `\boxed{...}` or `\fbox{...}` with balanced braces holds; `\boxed 5` holds the word behind it.

    A box whose braces do not close is passed over for the one before it.
    """
    for found in reversed(list(_BOX.finditer(text))[-_LOOKED_AT:]):
        if text[found.end() : found.end() + 1] == "{":
            content = _in_braces(text, found.end())
        else:
            word = _WORD.match(text, found.end())
            content = word.group() if word else None
        if content is not None and content.strip():
            return content.strip()
    return None


def _in_braces(text: str, start: int) -> str | None:
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
                return text[start + 1 : place]
    return None


def after_phrases(text: str) -> list[str]:
    """What follows "the answer is", "Answer:" or "answer =": the first line with text, for each phrase, last first.

    Bold marks are taken out.
    """
    text = _BOLD.sub("", text)
    ends = [found.end() for found in _PHRASE.finditer(text)]
    rests = (text[end : end + _LONGEST_BOX].lstrip() for end in reversed(ends[-_LOOKED_AT:]))
    return [rest.splitlines()[0].strip() for rest in rests if rest]

"""Which of the given options a text says: by letter, by its words, or by yes and no.

Paper 01 (section 6) takes the first character or word of a reply, so that "A dog ran" says option A. Here a letter has
to stand as an answer does: alone, before a full stop or bracket, or behind "answer", "option" or "choice".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from string import ascii_lowercase

from outgrow.core.errors import ConfigError
from outgrow.tasks.parsing.characters import plain_characters
from outgrow.tasks.parsing.markers import behind_box, last_boxed
from outgrow.tasks.splits import normalise_text

_EDGES = " .,:;!?\"'()[]*"

_MARKED = r"[*_(\[{<\s\"'“‘`$]{0,4}(?:\\(?:text|mathrm|textbf)\{)?([A-Za-z])(?![\w'’])"
_DENIED = r"\s+(?:is|was)(?:\s+not\b|n['’]t\b|\s+(?:wrong|incorrect|false)\b)"
_CLOSED = (
    rf"(?![*_)\]}}>\"”`$]{{0,4}}{_DENIED})(?=[*_)\]}}>\"”`$]{{0,4}}\s*"
    r"(?:$|[.,;:!?)\]}>\n]|[-–—]\s|\(|(?:because|since|as|is)\b))"
)
_BRACKETED = re.compile(rf"\s*[*_]{{0,3}}[(\[]([A-Za-z])[)\]](?!{_DENIED})")
_LEADING = re.compile(rf"\s*{_MARKED}{_CLOSED}")
_ANOTHER = re.compile(r"[*_)\]}]*\s*(?:,|/|&|\bor\b|\band\b)\s*(?:\b(?:or|and)\b\s*)?[*_(\[]*[A-Za-z](?![\w'’])")
_SAID = re.compile(
    rf"\b(?:answer|choice|option|letter)[\"'”]?\s*(?:is|(?:must|should|would|will|has\s+to)\s+be|[:=→]|[-=]>)\s*:?\s*"
    rf"(?:(?:option|choice|letter)\s*)?{_MARKED}{_CLOSED}",
    re.IGNORECASE,
)
_NAMED = re.compile(
    rf"\b(?:option|choice|choose|pick|select|it[’']?s|it\s+is|go\s+with|say|think|believe|guess|but)\s*:?\s*{_MARKED}"
    rf"(?:{_CLOSED}|(?=\s+(?:or|and)\b))",
    re.IGNORECASE,
)
_CORRECTED = re.compile(
    rf"\b(?:wait|actually|correction|sorry|scratch\s+that)\b[,:.!—\s-]*(?:(?!not\b)[a-z’']+\s+){{0,4}}?{_MARKED}{_CLOSED}",
    re.IGNORECASE,
)
_NOT = re.compile(
    r"\b(?:(?:not|no|never|nor|neither|cannot|\w+n['’]t|than|instead of|unlike|without|except|excluding|hardly"
    r"|anything but)\s+(?:(?!but\b|rather\b)\w+\s+){0,4}|non[- ])$"
)
_NOT_AFTER = re.compile(rf"\s*\?\s*no\b|{_DENIED}|\s+(?:is|was)\s+unlikely\b")
_YES_NO = re.compile(r"(?:[*_\s\"'(\[]*(?:the\s+)?(?:final\s+)?answer\s*(?:is\b|:)\s*:?)?[*_\s\"'(\[]*(yes|no)\b(?!-)")


def first_line(text: str) -> str:
    """The first line that is not blank, or an empty string."""
    return next((line for line in text.splitlines() if line.strip()), "")


def _agreed(pattern: re.Pattern[str], text: str) -> str | None:
    """The one letter, in lower case, that all places where `pattern` is found have; None when they differ."""
    letters = {"?" if _ANOTHER.match(text, found.end(1)) else found[1].lower() for found in pattern.finditer(text)}
    return letters.pop() if len(letters) == 1 else None


def read_letter(text: str, n: int, words: Sequence[str] = ()) -> int | None:
    r"""The option that a text names by its letter.

    In this order: the letter that the last `\boxed{...}` holds, if no statement follows it; the letter behind "the
    answer is", "Answer:" or `"answer":` anywhere, when all of these agree; the letter that the first line starts with,
    closed off ("B", "(b)", "B. Paris", "**B**", "B is right"); the letter behind "option", "choice" or "it's" on the
    first line, when all agree; the option whose own words the first line says. "A dog", "A or B", "A is not right" and
    letters beyond the options are none.

    Args:
        text: the reply.
        n: how many options there are, 1 to 26.
        words: the options' own words, if they may be said instead.

    Returns:
        The option's index, or None.

    Raises:
        ConfigError: `n` is not between 1 and 26.
    """
    if not 1 <= n <= len(ascii_lowercase):
        raise ConfigError(f"{n} options cannot be lettered: give 1 to 26, or read the options' words instead")
    said_so, text = text, plain_characters(text)
    line, boxed = first_line(text), last_boxed(text)
    found = _BRACKETED.match(line) or _LEADING.match(line)
    behind = "" if boxed is None else behind_box(text)
    if _SAID.search(behind):
        letter: str | None = _agreed(_SAID, behind)
    elif boxed is not None and (inside := _LEADING.match(boxed)) is not None:
        letter = inside[1].lower()
    elif said := [*_SAID.finditer(text)]:
        later = [*_CORRECTED.finditer(text, said[-1].end())]
        letter = later[-1][1].lower() if later else _agreed(_SAID, text)
    elif found:
        letter = None if _ANOTHER.match(line, found.end(1)) else found[1].lower()
    elif _NAMED.search(line):
        letter = _agreed(_NAMED, line)
    else:
        return read_words(said_so, words) if words else None
    return ascii_lowercase[:n].index(letter) if letter is not None and letter in ascii_lowercase[:n] else None


def read_words(text: str, options: Sequence[str]) -> int | None:
    """The option that the first line of a text is, or the only one it names as whole words and does not deny.

    "Not billing" names nothing; "not technical but billing" names billing. Case, white space and
    punctuation at the edges do not count, unless they tell two options apart.

    Returns:
        The option's index, or None when there is none, or more than one.
    """
    line = normalise_text(first_line(text))
    said = line.strip(_EDGES)
    forms = [normalise_text(option) for option in options]
    bare = [form.strip(_EDGES) or form for form in forms]
    exact = [form == line for form in forms]
    alone = [form == said for form in bare]
    named = [_is_named(form, said) for form in bare]
    for hits in (exact, alone, named):
        if any(hits):
            return hits.index(True) if sum(hits) == 1 else None
    return None


def _is_named(form: str, line: str) -> bool:
    """Whether a line has these words somewhere where it does not deny them."""
    places = re.finditer(rf"(?<!\w){re.escape(form)}(?!\w)", line)
    return any(
        _NOT.search(line[max(0, place.start() - 60) : place.start()]) is None
        and not _NOT_AFTER.match(line, place.end())
        for place in places
    )


def read_yes_no(text: str) -> bool | None:
    """Whether the first line starts with yes or no (behind "Answer:", if need be); None for "yes and no" and others."""
    line = normalise_text(first_line(text))
    found = _YES_NO.match(line)
    if found is None or re.match(r"[*_\s,/]*(?:and|or|/)?\s*(?:yes|no)\b", line[found.end() :]):
        return None
    return found[1] == "yes"

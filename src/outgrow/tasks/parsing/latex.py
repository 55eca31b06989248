r"""Answers in LaTeX: where a text states one, and whether two mean the same mathematics (extra `math`)."""

from __future__ import annotations

import re
from itertools import chain

from outgrow.tasks.parsing.markers import LONGEST_TEXT, after_phrases, behind_box, last_boxed
from outgrow.tasks.parsing.math_judge import judge
from outgrow.tasks.parsing.numbers import LONGEST, read_number

_LONGEST_JUDGED = 500  # characters; longer answers are the same only when they are written the same

_DISPLAY = re.compile(r"\$\$([^$]{1,1000})\$\$|(?<![\\$])\$([^$\n]{1,1000})(?<!\\)\$")
_BRACKETS = re.compile(r"\\\[((?:[^\\]|\\(?!\])){1,1000})\\\]|\\\(((?:[^\\]|\\(?![()])){1,1000})\\\)")
_PROSE = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}")
_DROPPED = re.compile(r"(\\\\)|\\left(?![a-z])|\\right(?![a-z])|\\(?:displaystyle|limits)(?![a-z])|\\!|\\\$")
_GOES_ON = re.compile(r"\.\.|…|dots")  # math-verify takes 0.333... for 0.333
_SPACE = re.compile(r"(\\\\)|(?:\s|~|\\[,;: ]|\\q?quad(?![a-z]))+")  # the first group ends a row of a matrix
_UNIT = re.compile(r"(.*?)\s*(?:\\(?:text|mathrm|mbox)\{[^{}0-9]*\}(?:\^\{?[23]\}?)?|\\?%|\^\{?\\circ\}?)")
_LETTER = re.compile(r"\\(?:math(?:rm|it|bf|sf)|boldsymbol|bm)\s?\{([A-Za-z])\}")
_SENTENCE = re.compile(r"(?:[.;?]|(?<=[A-Za-z]{2})!)(?:\s|$)")
_MATRIX = re.compile(
    r"[(\[]?\s*\\begin\{((?:[pbB]|small)?matrix|array)\}(?:\s*\{[lcr| ]*\})?(.*)\\end\{\1\}\s*[)\]]?", re.DOTALL
)
_BASE = re.compile(r"(?<![A-Za-z\\0-9])([0-9][0-9A-F]*)\s?_\s?\{?([0-9]{1,2})\}?")
_POINTS = re.compile(r"(?<![\\A-Za-z])[A-Z]{2,}(?![a-z])")
_COMMAND = re.compile(r"\\[A-Za-z]+")
_SLOPED = re.compile(r"\\[dtc]frac(?![a-z])")
_DELIMITERS = (("$$", "$$"), ("$", "$"), ("\\(", "\\)"), ("\\[", "\\]"))


def normalise_math(text: str) -> str:
    r"""One spelling for what does not change the meaning: delimiters, sizes, spaces, `\dfrac`, the final period.

    What is one number, with or without a `\text{unit}`, percent or degree sign, takes its canonical form, as said
    (`read_number`). An empty string is left when nothing else was there. A text of more than 1,000 characters is only
    trimmed.
    """
    text = text.strip()
    if len(text) > LONGEST:
        return text
    while (simpler := _simpler(text)) != text:  # what one pass uncovers is for the next: `{$5$}`
        text = simpler
    return text


def _without_stop(text: str) -> str:
    """Without the punctuation of the sentence around it; dots that go on (0.333...) are not that."""
    text = text.strip().lstrip(",;: ")
    return text[:-1].rstrip() if text[-1:] in (".", ",", ";", ":") and text[-2:-1] != "." else text


def _simpler(text: str) -> str:
    for left, right in _DELIMITERS:
        if len(text) > len(left + right) and text.startswith(left) and text.endswith(right):
            text = text[len(left) : -len(right)]
    text = _DROPPED.sub(r"\1", _SLOPED.sub(r"\\frac", text))
    text = _without_stop(_SPACE.sub(lambda found: found[1] or " ", text))
    if text.startswith("{") and text.endswith("}") and "{" not in text[1:] and "}" not in text[:-1]:
        text = _without_stop(text[1:-1])
    unit = _UNIT.fullmatch(text)
    number = read_number(unit[1] if unit else text, units=False)
    return number or _LETTER.sub(r" \1", text).strip()


def final_math(text: str) -> str | None:
    r"""The answer of a worked solution in LaTeX, normalised.

    In this order: what follows the last "the answer is" (the mathematics in it, when some is set off, else up to the
    end of its sentence), if it stands behind the last box; the last `\boxed{...}` or `\fbox{...}` with balanced braces,
    or `\boxed 5`; without a box, the last such phrase, the last formula between `$`, `$$`, `\(` or `\[`, or a text that
    is one short line without prose. Of a longer text the last 20,000 characters count.

    Returns:
        The normalised LaTeX (`normalise_math`), or None when no answer is stated or it is longer than 1,000 characters.
    """
    text = text[-LONGEST_TEXT:]
    for rest in after_phrases(behind_box(text)):
        formulas = _formulas(rest)
        said = formulas[0] if formulas else _SENTENCE.split(rest, maxsplit=1)[0]
        if (answer := _usable(said)) is not None:
            return answer
    boxed = last_boxed(text)
    if boxed is not None:
        return _usable(boxed)
    if formulas := _formulas(text):
        return _usable(formulas[-1])
    lines = [line for line in text.splitlines() if line.strip()]
    if len(lines) == 1 and len(lines[0]) <= _LONGEST_JUDGED and not _PROSE.search(lines[0]) and "box" not in text:
        return _usable(lines[0])
    return None


def _formulas(text: str) -> list[str]:
    """What stands between the delimiters of mathematics, in the order of the text."""
    found = [*_DISPLAY.finditer(text), *_BRACKETS.finditer(text)]
    return [match[1] or match[2] for match in sorted(found, key=lambda match: match.end())]


def _usable(said: str) -> str | None:
    if len(said) > LONGEST:
        return None
    return normalise_math(said) or None


def same_math(a: str, b: str) -> bool:
    """Whether two answers are the same mathematics, by math-verify; a judge for `equivalence.cluster`.

    math-verify tells gold from prediction (it takes the right-hand side of a predicted `2x + z = 1` when gold is `1`);
    the same here are two answers of which each passes with the other as gold. Two plain numbers are the same when
    they are equal exactly, so 1/3 and 0.333333 differ; other values are compared to 12 decimals. Math-verify runs in a
    process of its own that is ended after 10 seconds of processor time, so that no expression can hang or exhaust this
    one, in any thread; an answer that takes longer, has more than 500 characters or goes on in dots is the same only
    as itself. What math-verify does not see is compared before it is asked: the shape of matrices and each of their
    cells, the case of symbols, the order of points (`AB` is not `BA`), and the base of a number (`12_7`).

    Raises:
        PrerequisiteError: math-verify is not installed.
    """
    ask = judge()
    first, second = sorted((normalise_math(a), normalise_math(b)))
    if first == second:
        return True
    if not first or max(len(first), len(second)) > _LONGEST_JUDGED or _GOES_ON.search(first + second):
        return False
    if read_number(first, units=False) is not None and read_number(second, units=False) is not None:
        return False  # both are in canonical form, and the forms differ
    one, other = _cells(first), _cells(second)
    if one is not None and other is not None:
        pairs = zip(chain(*one), chain(*other), strict=False)
        return [*map(len, one)] == [*map(len, other)] and all(same_math(a, b) for a, b in pairs)
    shaped = ("\\begin" in first) == ("\\begin" in second)
    return shaped and _alike(first, second) and ask(first, second)


def _cells(text: str) -> list[list[str]] | None:
    """The cells of a matrix row by row; None for anything else."""
    found = _MATRIX.fullmatch(text)
    if found is None or "\\begin" in found[2]:
        return None
    rows = [row.split("&") for row in found[2].split("\\\\")]
    return rows[:-1] if len(rows) > 1 and not "".join(rows[-1]).strip() else rows


def _alike(a: str, b: str) -> bool:
    """Whether two formulas are about the same symbols, points and number bases; math-verify does not look at these."""
    first, second = _COMMAND.sub(" ", a), _COMMAND.sub(" ", b)
    letters, others = ({*re.findall("[A-Za-z]", text)} for text in (first, second))
    both_cases = len({letter.lower() for letter in letters | others}) < len(letters | others)
    return (
        not (both_cases and letters != others)
        and sorted(_POINTS.findall(first)) == sorted(_POINTS.findall(second))
        and sorted(_BASE.findall(a)) == sorted(_BASE.findall(b))
    )

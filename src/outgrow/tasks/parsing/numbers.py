r"""Numbers: one string per value, whatever the formatting, in exact arithmetic.

A number is kept as it was said and its unit is dropped: `$29.00` and `29 apples` are "29", and `50%` is "50", not
"0.5" (GSM8K's answers are written so). Numbers written in words are not read.
"""

from __future__ import annotations

import re
from fractions import Fraction

from outgrow.tasks.parsing.characters import THIN, plain_characters
from outgrow.tasks.parsing.markers import LONGEST_TEXT, after_phrases, behind_box, last_boxed
from outgrow.tasks.parsing.units import is_unit

_END_OF_LINE = 1_000  # characters in which a text's last number is looked for
LONGEST = 1_000  # characters of a number and of its canonical form

_SYMBOLS = "$€£¥₹₩₽₺₪₫₱฿₦₴₿¢"
_CODES = "USD|EUR|GBP|JPY|INR|CNY|CAD|AUD|CHF|NZD|Rs\\.?"
_COUNT = r"(?:[0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}|[0-9]++)(?![0-9])"  # 1,234 or 1,00,000 or 1234
_NUMBER = rf"""
    (?=[-+.0-9A-Z{_SYMBOLS}])
    (?P<sign>[-+][ ]?)?
    (?P<currency>(?:[A-Z]{{0,2}}[{_SYMBOLS}]|(?:{_CODES})(?![A-Za-z]))[ ]?)?
    (?P<inner>[-+])?
    (?(currency)|(?<![A-Za-z0-9_]))
    (?:
        (?<!/)(?:(?P<whole>{_COUNT})[ ]{{1,2}})? (?P<over>{_COUNT}) [ ]?/[ ]? (?P<under>{_COUNT}) (?![./][0-9])
      | (?P<decimal>{_COUNT}(?:\.[0-9]*+)?|\.[0-9]++)
        (?: [eE](?P<e>[-+]?[0-9]{{1,4}})(?![0-9A-Za-z])
          | [ ]?(?:[x×*·]|\\times|\\cdot)[ ]?10[ ]?(?:\^|\*\*)[ ]?{{?(?P<power>[-+]?[0-9]{{1,4}})(?![0-9])}}? )?
    )
    (?:[ ]?(?P<magnitude>(?i:hundred|thousand|million|billion|trillion))(?![A-Za-z]))?
"""
_FOUND = re.compile(_NUMBER, re.VERBOSE)
_WHOLE = re.compile(rf"{_NUMBER}(?P<unit>.*)", re.VERBOSE | re.DOTALL)
_MAGNITUDES = {"hundred": 10**2, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}

# What makes a number a piece of something else. An operand is a number, one letter, a bracket or a root.
_OPERAND = r"(?:[0-9(\\√$]|[^\W\d_](?![^\W\d_]))"
_LEFT = re.compile(r"(?:[0-9)\]}]|(?<![^\W\d_])[^\W\d_])[ ]?$|[^\W\d_]$")  # what a sign behind it joins to something
_OPERATOR = r"(?:\*|×|÷|·|±|\+|x(?=[ ]?[0-9])|/(?![ ]?[A-Za-z])|\\times|\\cdot|\\div|\\pm)"
_PARTS = r"(?:hours?|hrs?|h|minutes?|mins?|feet|foot|ft|pounds?|lbs?|years?|months?|weeks?|days?|dollars?)"
_GOES_ON = re.compile(
    rf"""
    [ ]?{_OPERATOR}[ ]?[-({{]?{_OPERAND} | \*\*[-({{]?[0-9A-Za-z(] | [ ]?\^ | [ ]?-[ ]?{_OPERAND}
    | ![ ]?(?:$|[-+*/^=).,!]) | \)[ ]?[({{][0-9] | [:,.'’](?=[0-9]) | _[0-9{{] | [ ][0-9]{{3}}(?![0-9])
    | (?:,?[ ](?:or|to|and)|,)[ ][-$]?[0-9]
    | [ ](?:squared|cubed|factorial|lakh|crore|point[ ][0-9]|(?:plus|minus|times|over|mod|base|in[ ]base
        |remainder|rem\.?|[rR])[ ][0-9]|divided[ ]by
        |and[ ](?:a|one)[ ](?:half|third|quarter))\b
    | [ ]{_PARTS}(?:,[ ]?|[ ]and[ ]|[ ])(?:and[ ])?[0-9]
    """,
    re.VERBOSE,
)
_CAME_FROM = re.compile(
    rf"""(?:
    (?:[0-9)\]}}]|(?<![^\W\d_])[^\W\d_])[ ]?(?:{_OPERATOR}|\*\*|-)[ ]?[({{]? | \^[ ]?[({{]?-? | [√!][ ]?[({{]?
    | \\sqrt[ ]?(?:\[[0-9]\])?[{{(]? | [0-9]\)[ ]?[({{] | [0-9][:,.'’] | (?<![0-9])[0-9]{{1,3}}[ ]
    | [0-9][ ](?:or|to|and|plus|minus|times|over|by|mod|base|remainder|[rR])[ ] | [0-9][ ]x[ ]
    | \b(?:log|ln|sin|cos|tan|exp|sqrt|root[ ]of)[ ]?[({{]? | [0-9][ ]{_PARTS}(?:,[ ]?|[ ]and[ ]|[ ])
    )$""",
    re.VERBOSE,
)
_UNIT_POWER = re.compile(r"(?<![^\W\d_])([^\W\d_]{1,12})\^\{?-?$")
_NEGATIVE = re.compile(r"\b(?:negative|minus)[ ]$", re.IGNORECASE)
_SEVERAL = re.compile(r"(?<![^\W\d_])([^\W\d_])\s*=[^=]*(?:[,;]|\band\b)\s*(?!\1)[^\W\d_]\s*=")  # x = 5, y = 6
_TOUCHING = re.compile(r"[^\W\d_]+")

_THIN_GROUP = re.compile(rf"(?<=[0-9])[{THIN}](?=[0-9]{{3}}(?![0-9]))")
_FRACTION_AFTER_DIGIT = re.compile(r"(?<=[0-9])\s*(?=\\[dt]?frac)")
_FRACTION = re.compile(r"\\[dt]?frac\s*\{\s*(-?[0-9]{1,300})\s*\}\s*\{\s*([0-9]{1,300})\s*\}")
_SHORT_FRACTION = re.compile(r"\\[dt]?frac\s*([0-9])\s*([0-9])")
_STYLED = re.compile(r"\\(?:text|textbf|textit|mathrm|mathbf|mbox)\s?\{([^{}\\]*)\}")
_LATEX = {
    "{,}": ",", "\\!": "", "\\,": "\u2009", "\\;": "\u2009", "\\ ": " ", "~": " ", "\\$": "$", "\\%": "%",
    "^\\circ": "°", "^{\\circ}": "°", "\\left": "", "\\right": "",
}  # fmt: skip


def plain_number_text(text: str) -> str:
    """`text` with the LaTeX and Unicode spellings of numbers in plain characters."""
    text = plain_characters(text)
    if "\\" in text or "{,}" in text:
        text = _FRACTION_AFTER_DIGIT.sub(" ", text)
        text = _SHORT_FRACTION.sub(r"\1/\2", _FRACTION.sub(r"\1/\2", text))
        text = _STYLED.sub(r" \1 ", text)
        for spelling, plain in _LATEX.items():
            text = text.replace(spelling, plain)
    text = _THIN_GROUP.sub(",", text)
    return re.sub(rf"[{THIN}\t]", " ", text)


def write_number(value: Fraction) -> str:
    """The canonical form: "29", the terminating decimal "29.5", else the reduced fraction "1/3"."""
    if value.denominator == 1:
        return str(value.numerator)
    rest, twos, fives = value.denominator, 0, 0
    while rest % 2 == 0:
        rest, twos = rest // 2, twos + 1
    while rest % 5 == 0:
        rest, fives = rest // 5, fives + 1
    if rest != 1:
        return f"{value.numerator}/{value.denominator}"
    places = max(twos, fives)
    digits = str(abs(value.numerator) * 10**places // value.denominator).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{digits[:-places]}.{digits[-places:]}"


def _value(found: re.Match[str]) -> str | None:
    """The canonical form of a match; None for what no number is: 1 3/2, a division by zero, two signs."""
    part = {name: text.replace(",", "") for name, text in found.groupdict(default="").items() if name != "unit"}
    if (part["sign"] and part["inner"]) or sum(map(len, part.values())) > LONGEST:
        return None
    power = int(part["e"] or part["power"] or 0)
    if part["decimal"]:
        if abs(power) > LONGEST:
            return None
        value = Fraction("0" + part["decimal"].removesuffix(".")) * Fraction(10) ** power
    else:
        over, under = int(part["over"]), int(part["under"])
        if under == 0 or (part["whole"] and not over < under):
            return None
        value = int(part["whole"] or 0) + Fraction(over, under)
    value *= _MAGNITUDES.get(part["magnitude"].lower(), 1)
    if max(value.denominator.bit_length(), value.numerator.bit_length()) > 3 * LONGEST:
        return None
    form = write_number(-value if "-" in part["sign"] + part["inner"] else value)
    return form if len(form) <= LONGEST else None


def read_number(text: str, *, units: bool = True) -> str | None:
    """The canonical form of a string that is one number in any usual formatting.

    Read are signs, thousands separators (`1,234`, thin spaces), currency (`$29.00`, `USD 5`, `5 €`), percent,
    fractions (`3/4`, `1 1/2`, `½`, LaTeX), scientific notation, `2 million`, and up to four words of a unit
    (`5 km/h`). Refused is what has two readings or is no number: `(5)` (negative in accounts), `1,23`, `5k`, `5x`,
    `10-15`, `3/4/2021`.

    Args:
        text: the string.
        units: whether words may follow the number; where `5m` may be a product, they may not.

    Returns:
        An integer, a terminating decimal or a reduced fraction; None when the string is no single number. Equal
        forms are equal numbers and the other way round.
    """
    if len(text) > 2 * LONGEST:
        return None
    text = text.strip().strip("*_`").strip()
    for left, right in (("\\(", "\\)"), ("$", "$")):
        if len(text) > len(left + right) and text.startswith(left) and text.endswith(right) and text[-2:] != "\\$":
            text = text[len(left) : -len(right)]
    found = _WHOLE.fullmatch(plain_number_text(text).strip())
    if found is None:
        return None
    unit = found["unit"]
    bare = unit.strip().removesuffix(".").rstrip()
    known = bare in ("", "%", "°") or (len(bare) == 1 and bare in _SYMBOLS)
    if not known and not (units and is_unit(unit, bool(found["currency"]))):
        return None
    return _value(found)


def _scan(text: str) -> list[str | None]:
    """The numbers in `text`, in order: their canonical forms, or None for a piece of something else.

    `5` is a piece of `5!`, `5:30`, `5 or 6`, `x - 5`, `5k` and `5 hours, 3 minutes`: the text says another number, or
    several. The power of a unit (`48 ft^2`) is passed over.
    """
    text = plain_number_text(text)
    forms: list[str | None] = []
    for found in _FOUND.finditer(text):
        start, end = found.span()
        before, after = text[max(0, start - 24) : start], text[end : end + 48]
        power = _UNIT_POWER.search(before)
        if power is not None and is_unit(power[1]):
            continue
        form = _value(found)
        if form is not None and _is_piece(found, before, after):
            form = None
        if form is not None and found["sign"] == "- ":  # a list mark
            form = form.removeprefix("-")
        if form is not None and _NEGATIVE.search(before) and form != "0":
            form = None if form.startswith("-") else f"-{form}"
        forms.append(form)
    return forms


def _is_piece(found: re.Match[str], before: str, after: str) -> bool:
    touching = _TOUCHING.match(after)
    if touching is not None and not is_unit(after[: touching.end()], bool(found["currency"])):
        return True
    joined = bool(found["sign"]) and _LEFT.search(before) is not None
    exclaimed = re.match(r"!(?![ ]?[-+*/^=!])", after) is not None and re.search(r"[A-Za-z]{2}", before) is not None
    goes_on = _GOES_ON.match(after) is not None and not exclaimed  # it is 5!
    return joined or goes_on or _CAME_FROM.search(before) is not None


def _stated(text: str) -> list[str | None]:
    """The number of a statement: all of it, else what stands first behind its last equals sign; empty without any."""
    whole = read_number(text)
    if whole is not None:
        return [whole]
    sentence = re.split(r"[.;]\s", text, maxsplit=1)[0]
    if _SEVERAL.search(sentence):
        return [None]
    return _scan(sentence.rpartition("=")[2])[:1]


def final_number(text: str, *, marker: str = "####") -> str | None:
    r"""The number that a worked solution ends in.

    In this order: the line behind the last `marker`; the last "the answer is" (or "Answer:") that a number follows, if
    it stands behind the last `\boxed{...}`; that box; without a box, the last such phrase or else the last number of
    the text's end. A marker or a box decides even when it holds no number:
    the solution was cut off there or ended in something else, and a number of its working is not its answer. What is
    found is a number or nothing, never a piece of one: `10^6`, `5!`, `5:30` and `2x + 3` state none.

    Args:
        text: the solution, of which the last 20,000 characters count; GSM8K's calculator notes `<<3*4=12>>` are
            passed over.
        marker: what stands before the final answer.

    Returns:
        The canonical form of `read_number`, or None.
    """
    text = text[-LONGEST_TEXT:]
    _, found, behind = text.rpartition(marker)
    if found:
        return next(iter(_stated(behind.strip().partition("\n")[0])), None)
    boxed = last_boxed(text)
    for rest in after_phrases(re.sub(r"<<[^<>]*>>", "", behind_box(text))):
        if forms := _stated(rest):
            return forms[0]
    if boxed is not None:
        return next(iter(_stated(boxed)), None)
    ends = (re.sub(r"<<[^<>]*>>", "", line)[-_END_OF_LINE:] for line in reversed(text.splitlines()))
    return next((forms[-1] for line in ends if (forms := _scan(line))), None)

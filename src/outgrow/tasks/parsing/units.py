"""Whether the words behind a number are its unit, or make it another number."""

from __future__ import annotations

import re

_WORD = r"[^\W\d_]+(?:['’-][^\W\d_]+)*(?:\^?\{?-?[0-9]\}?)?"
_UNIT = re.compile(rf"(?:°|/\s?)?{_WORD}(?:\s?[/·]\s?{_WORD})*(?:\s+{_WORD}(?:\s?[/·]\s?{_WORD})*){{0,3}}\.?")

# 5 or 6, 5 and a half, 5 squared, 5 lakh, 5 pi: the number is not five.
_CHANGES_THE_NUMBER = frozenset(
    """and or to plus minus times over divided by point half halves third thirds quarter quarters fifth tenth tenths
    hundredth hundredths thousandth squared cubed factorial power is are equals not than pi sqrt sin cos tan log ln exp
    mod base remainder one two three four five six seven eight nine ten eleven twelve hundred thousand million billion
    trillion lakh crore k mn mil mio bn tn inf infinity nan""".split()  # noqa: SIM905
)
_LETTERS = frozenset("a m g s h d l t L W V A J N K C F Ω".split())  # noqa: SIM905
_ABBREVIATIONS = frozenset(
    """km cm mm nm m mi ft in yd kg g mg lb lbs oz t s ms sec secs min mins h hr hrs d yr yrs l ml L mL dl gal kWh Wh kW
    W V mV A mA J kJ N Hz kHz MHz GHz K C F Pa kPa mol cal kcal mph kph kmh rpm GB MB KB kB TB GiB am pm usd eur gbp
    USD EUR GBP cents""".split()  # noqa: SIM905
)


def is_unit(text: str, currency: bool = False) -> bool:
    """Whether `text`, found directly behind a number, is a unit of up to four words.

    Args:
        text: with its leading white space, if any: `5 x` and `5x` differ from `5 km` and `5km`, since letters that
            touch a number must be a known abbreviation.
        currency: a currency stands before the number, so that `m` or `mm` would be millions.
    """
    body = text.strip()
    if len(body) > 100 or not _UNIT.fullmatch(body):
        return False
    words = re.findall(r"[^\W\d_]+", body)
    touching = text[:1].isalpha()
    if touching and words[0] not in _ABBREVIATIONS:
        return False
    if any(word.lower() in _CHANGES_THE_NUMBER or (len(word) == 1 and word not in _LETTERS) for word in words):
        return False
    return not currency or all(len(word) > 2 or word in ("a", "an", "in", "of") for word in words)

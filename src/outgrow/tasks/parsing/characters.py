"""One spelling for the characters that numbers are written with."""

from __future__ import annotations

import re
import unicodedata

MINUS = "\u2212\u2013\ufe63\u2010\u2011"  # minus sign, en dash, small hyphen-minus, hyphens
THIN = "\u00a0\u2007\u2009\u202f"  # spaces that group digits: no-break, figure, thin, narrow no-break

_FOREIGN = re.compile(f"[{MINUS}\u2044\u2215\uff01-\uff5e]|(?![0-9])\\d")
_SUPERSCRIPT = {"⁰": "0", "¹": "1", "²": "2", "³": "3", "⁴": "4", "⁵": "5", "⁶": "6", "⁷": "7", "⁸": "8", "⁹": "9"}
_POWER = re.compile(f"⁻?[{''.join(_SUPERSCRIPT)}]+")
_VULGAR = "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"
_FRACTION = re.compile(f"([0-9][ \u00a0\u2009\u202f]?)?([{_VULGAR}])")


def _plain_character(found: re.Match[str]) -> str:
    character = found.group()
    if character.isdecimal():
        return str(unicodedata.decimal(character))
    if character in MINUS:
        return "-"
    if character in "\u2044\u2215":  # fraction slash, division slash
        return "/"
    if "\uff01" <= character <= "\uff5e":  # full-width forms
        return chr(ord(character) - 0xFEE0)
    return character


def _spell_power(found: re.Match[str]) -> str:
    return "^" + "".join(_SUPERSCRIPT.get(character, "-") for character in found.group())


def _spell_fraction(found: re.Match[str]) -> str:
    whole, sign = found.groups()
    over = unicodedata.normalize("NFKC", sign).replace("\u2044", "/")
    return f"{whole[0]} {over}" if whole else over


def plain_characters(text: str) -> str:
    """`text` with digits of any script as 0-9, one minus, `½` as `1/2`, `2½` as `2 1/2` and `m²` as `m^2`.

    Unicode's own compatibility form (NFKC) would turn `2½` into `21/2` and `m²` into `m2`.
    """
    if text.isascii():
        return text
    text = _FOREIGN.sub(_plain_character, text)
    return _POWER.sub(_spell_power, _FRACTION.sub(_spell_fraction, text))

"""Numbers as words: the one place that decides how many digits a reader sees."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

from outgrow.core.events import duration as in_words
from outgrow.reporting.schema.base import Estimate

NO_DATA = "—"
MINUS = "−"


def percent(value: float, digits: int = 1) -> str:
    """A share in 0..1 as a percentage without its sign: 0.8731 is `87.3`."""
    return NO_DATA if math.isnan(value) else f"{100 * value:.{digits}f}".replace("-", MINUS)


def share(value: float, digits: int = 2) -> str:
    """A number around 0..1 in the field's short form: 0.714 is `.71`, -0.05 is `−.05`."""
    if math.isnan(value):
        return NO_DATA
    text = f"{value:.{digits}f}".replace("-", MINUS)
    return text[1:] if text.startswith("0.") else text.replace(f"{MINUS}0.", f"{MINUS}.", 1)


def points(value: float, digits: int = 1) -> str:
    """A difference of shares in percentage points, always signed: 0.021 is `+2.1`."""
    return NO_DATA if math.isnan(value) else f"{100 * value:+.{digits}f}".replace("-", MINUS)


FORMS: dict[str, Callable[[float], str]] = {"percent": percent, "share": share, "points": points}


def interval(low: float, high: float, form: str = "percent") -> str:
    """`[low, high]` in the given form (percent, share or points); empty when there is no interval."""
    if math.isnan(low) or math.isnan(high):
        return ""
    return f"[{FORMS[form](low)}, {FORMS[form](high)}]"


def bounds(estimate: Estimate, form: str = "percent") -> str:
    """The interval of an estimate in the given form."""
    return interval(estimate.low, estimate.high, form)


def joined(*parts: str) -> str:
    """The parts that say something, a space between them."""
    return " ".join(part for part in parts if part)


def p_value(value: float) -> str:
    """A p-value to three digits: `<.001`, `.032`."""
    if math.isnan(value):
        return NO_DATA
    return "<.001" if value < 0.001 else share(value, 3)


def count(value: int | float) -> str:
    """A whole number with thousands set apart: `12,000`."""
    return NO_DATA if isinstance(value, float) and math.isnan(value) else f"{round(value):,}"


def counts(values: Sequence[int]) -> str:
    """One number per seed: the number if all agree, else the range."""
    if not values:
        return NO_DATA
    low, high = min(values), max(values)
    return count(low) if low == high else f"{count(low)} – {count(high)}"


def listed(values: Sequence[int]) -> str:
    """One number per seed, in seed order, shortened to one where all agree."""
    return counts(values) if len(set(values)) <= 1 else ", ".join(count(value) for value in values)


def duration(seconds: float) -> str:
    """Seconds as `850 ms`, `12.3 s`, `4 min 5 s` or `2 h 7 min`."""
    if math.isnan(seconds):
        return NO_DATA
    if seconds < 1:
        return f"{1000 * seconds:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    return in_words(seconds)


def mean(values: Sequence[float]) -> float:
    """Mean of the values that are there; NaN when there are none."""
    known = [value for value in values if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def plural(n: int, one: str, many: str | None = None) -> str:
    """`1 seed`, `5 seeds`."""
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def shorten(text: str, limit: int) -> str:
    """At most `limit` characters, cut in the middle where both ends tell names apart."""
    if len(text) <= limit:
        return text
    head = (limit - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (limit - 1 - head) :]}"


def join_words(words: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    if len(words) <= 1:
        return "".join(words)
    return f"{', '.join(words[:-1])} and {words[-1]}"

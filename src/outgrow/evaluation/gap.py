"""Performance gap recovered: how much of the way from the supervisor to the ceiling a student went."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outgrow.evaluation.bootstrap import Drawn

LEAST_GAP = 0.02


@dataclass(frozen=True)
class PGR:
    """Performance gap recovered with its 95 % interval; all NaN when it is not defined.

    `undefined_draws` counts bootstrap draws whose ceiling does not lie above their floor.
    """

    value: float
    low: float
    high: float
    defined: bool
    undefined_draws: int
    reason: str | None


def gap_recovered(student: Drawn, floor: Drawn, ceiling: Drawn) -> PGR:
    """(student - floor) / (ceiling - floor), the ratio of means over seeds (definition 8).

    Undefined unless the lower bound of ceiling - floor exceeds .02. Draws without a positive gap have no
    ratio; they are counted, and the interval treats them as minus infinity below and plus infinity above, so
    that leaving them out cannot make it narrower.

    Args:
        student: the student's metric, of which more is better, in the same draws as the next two
            (`Bootstrap.draw_all`).
        floor: the supervisor's.
        ceiling: the strong ceiling's.

    Examples:
        A supervisor right on half of 100 questions, a student on three quarters, a ceiling on all; two seeds:

        >>> from outgrow.evaluation import Bootstrap
        >>> scores = {"floor": [1.0, 0.0, 1.0, 0.0], "student": [1.0, 1.0, 1.0, 0.0], "ceiling": [1.0] * 4}
        >>> sums = {name: np.stack([np.tile(s, (2, 25)), np.ones((2, 100))], axis=2) for name, s in scores.items()}
        >>> drawn = Bootstrap(np.arange(100), 2).draw_all(sums, lambda s: s[..., 0] / s[..., 1])
        >>> recovered = gap_recovered(**drawn)
        >>> recovered.value, recovered.low < 0.5 < recovered.high
        (0.5, True)
    """
    gaps = ceiling.draws - floor.draws
    gap = ceiling.value - floor.value
    without = gaps <= 0
    least = float(np.percentile(gaps, 2.5))
    if not least > LEAST_GAP:
        reason = (
            f"the ceiling is not clearly above the floor: ceiling - floor = {gap:.4f}, "
            f"lower bound {least:.4f}, needed above {LEAST_GAP:g}"
        )
        return PGR(np.nan, np.nan, np.nan, False, int(without.sum()), reason)
    ratio = (student.draws - floor.draws) / np.where(without, np.nan, gaps)
    low = np.percentile(np.where(without, -np.inf, ratio), 2.5, method="inverted_cdf")
    high = np.percentile(np.where(without, np.inf, ratio), 97.5, method="inverted_cdf")
    value = (student.value - floor.value) / gap
    return PGR(value, float(low), float(high), True, int(without.sum()), None)

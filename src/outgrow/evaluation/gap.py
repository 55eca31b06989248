"""Performance gap recovered: how much of the way from the supervisor to the ceiling a student went."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from outgrow.evaluation.intervals import Joint

LEAST_GAP = 0.02


@dataclass(frozen=True)
class PGR:
    """Performance gap recovered with its 95 % interval; all NaN when it is not defined, and why not."""

    value: float
    low: float
    high: float
    defined: bool
    reason: str | None


def gap_recovered(
    joint: Joint, student: str, *, floor: str, ceiling: str, sign: int = 1, chance: float | None = None
) -> PGR:
    """(student - floor) / (ceiling - floor), the ratio of means over seeds (definition 8).

    Undefined unless the lower limit of ceiling - floor exceeds .02, and where the floor is below chance: of such a gap
    whoever guesses would recover some. The interval is Fieller's with both errors: every ratio r for which
    (student - floor) - r (ceiling - floor) may be 0. With one seed there is no interval; the value then stands if the
    error over questions alone puts the gap above .02.

    Args:
        joint: has the three arms.
        student: its arm.
        floor: the supervisor's.
        ceiling: the strong ceiling's.
        sign: -1 for a metric of which less is better.
        chance: what guessing reaches; None where that is not known.

    Examples:
        A supervisor right on half of 100 questions, a student on three quarters, a ceiling on all; two seeds:

        >>> scores = {"floor": [1.0, 0.0, 1.0, 0.0], "student": [1.0, 1.0, 1.0, 0.0], "ceiling": [1.0] * 4}
        >>> joint = Joint({name: np.tile(s, (2, 25)) for name, s in scores.items()}, np.arange(100))
        >>> recovered = gap_recovered(joint, "student", floor="floor", ceiling="ceiling")
        >>> recovered.value, recovered.low < 0.5 < recovered.high
        (0.5, True)
    """
    if chance is not None and sign * (reached := joint.interval({floor: 1}).value) < sign * chance:
        return _undefined(f"the supervisor is below chance: {reached:.4f}, where guessing reaches {chance:.4f}")
    above, gap = {student: sign, floor: -sign}, {ceiling: sign, floor: -sign}
    if student == floor:
        above = {}
    ratio = joint.ratio(above, gap)
    if not ratio.least > LEAST_GAP:
        return _undefined(
            f"the ceiling is not clearly above the floor: ceiling - floor = {joint.interval(gap).value:.4f}, "
            f"lower limit {ratio.least:.4f}, needed above {LEAST_GAP:g}"
        )
    return PGR(ratio.value, ratio.low, ratio.high, True, None)


def _undefined(reason: str) -> PGR:
    return PGR(np.nan, np.nan, np.nan, False, reason)

"""Is one arm better than another: paired differences, their error, and corrections for many tests."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from outgrow.core.errors import DataError


@dataclass(frozen=True)
class Difference:
    """Mean of a - b with its standard error and 95 % t interval.

    With one seed `low`, `high` and `p` are NaN, `df` is 0, and `se` covers the sampling of questions alone.
    """

    value: float
    se: float
    low: float
    high: float
    p: float
    df: int


def difference(
    a: Float[np.ndarray, "seeds questions"],
    b: Float[np.ndarray, "seeds questions"],
    groups: Int[np.ndarray, "questions"],
) -> Difference:
    """Paired difference of two arms (definition 8).

    SE^2 = cluster SE^2 over groups of the seed-averaged differences (with the G/(G-1) correction) plus the
    variance of the per-seed differences over the number of seeds S; t with S - 1 degrees of freedom.

    Raises:
        DataError: the matrices differ in shape, do not fit the groups, are empty or hold NaN.

    Examples:
        >>> a, b = np.tile([1.0, 1.0, 1.0, 0.0], (2, 25)), np.tile([1.0, 0.0, 1.0, 0.0], (2, 25))
        >>> found = difference(a, b, np.arange(100))
        >>> found.value, found.df, found.low < 0.25 < found.high
        (0.25, 1, True)
    """
    from scipy import special

    if a.shape != b.shape or a.shape[1] != len(groups) or a.size == 0:
        raise DataError(f"arms of shapes {a.shape} and {b.shape} with {len(groups)} groups cannot be compared")
    paired = a - b
    if not np.isfinite(paired).all():
        raise DataError("scores hold NaN; each question needs a score in both arms")
    seeds, questions = paired.shape
    per_question = paired.mean(axis=0)
    value = float(per_question.mean())
    _, codes = np.unique(groups, return_inverse=True)
    residuals = np.bincount(codes, weights=per_question - value)
    n_groups = len(residuals)
    cluster = float((residuals**2).sum()) / questions**2 * n_groups / (n_groups - 1) if n_groups > 1 else np.nan
    if seeds == 1:
        return Difference(value, float(np.sqrt(cluster)), np.nan, np.nan, np.nan, 0)
    se = float(np.sqrt(cluster + paired.mean(axis=1).var(ddof=1) / seeds))
    half = float(special.stdtrit(seeds - 1, 0.975)) * se
    p = float(value == 0)  # without any spread
    if se != 0:
        p = float(2 * special.stdtr(seeds - 1, -abs(value) / se))
    return Difference(value, se, value - half, value + half, p, seeds - 1)


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's step-down adjusted p values, in the given order; NaN stays NaN and is not counted as a test.

    Examples:
        >>> holm([0.01, 0.04, 0.03])
        [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    adjusted = np.full(len(p), np.nan)
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0) if len(order) else steps
    return [float(x) for x in adjusted]


def minimum_detectable_difference(se: float, df: int, power: float = 0.8, alpha: float = 0.05) -> float:
    """Smallest true difference that a two-sided t test at `alpha` finds with probability `power`.

    Exact for t with `df` degrees of freedom (noncentral t, integrated over the estimated standard error), which
    matters at the few degrees of freedom that seeds give. NaN without degrees of freedom or standard error.
    """
    from scipy import optimize, special

    if df < 1 or not np.isfinite(se):
        return float("nan")
    nodes, weights = np.polynomial.legendre.leggauss(500)
    bar = float(special.stdtrit(df, 1 - alpha / 2)) * np.sqrt(2 * special.gammaincinv(df / 2, (nodes + 1) / 2) / df)

    def lacking(shift: float) -> float:
        found = special.ndtr(shift - bar) + special.ndtr(-shift - bar)
        return float((weights * found).sum() / 2) - power

    return se * float(optimize.brentq(lacking, 0.0, 10 * float(bar.max()) + 10))

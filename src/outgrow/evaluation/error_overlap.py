"""How far two annotators are wrong together, where gold says when they are."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from outgrow.core.errors import DataError


@dataclass(frozen=True)
class ErrorOverlap:
    """Errors of two annotators on the same items; NaN where there is nothing to measure.

    Attributes:
        correlation: of "is wrong" of the one and of the other (phi), -1 to 1; NaN if one is always right or wrong.
        low: lower end of its 95 % interval.
        high: its upper end.
        both_wrong: share of items that both get wrong.
        same_wrong: share of these on which they give the same answer.
        disagreement: share of items on which they differ.
    """

    correlation: float
    low: float
    high: float
    both_wrong: float
    same_wrong: float
    disagreement: float


def error_overlap(
    one: Bool[np.ndarray, "items"],
    other: Bool[np.ndarray, "items"],
    same: Bool[np.ndarray, "items"],
    groups: Int[np.ndarray, "items"],
    *,
    draws: int = 2000,
    seed: int = 0,
) -> ErrorOverlap:
    """From who is wrong where; the interval is that of a percentile bootstrap over groups.

    Args:
        one: items that the one gets wrong.
        other: items that the other gets wrong.
        same: items on which they give the same answer.
        groups: code of each item's group; an item of several seeds belongs to one group.
        draws: of groups, with replacement.
        seed: of the draws.

    Raises:
        DataError: there is no item.
    """
    if not len(one):
        raise DataError("errors of two annotators need at least one item that both answered")
    _, code = np.unique(groups, return_inverse=True)
    n = int(code.max()) + 1
    columns = [np.bincount(code, values, n) for values in (np.ones(len(one)), one, other, one & other)]
    sums = np.stack(columns, axis=1)
    times = np.random.default_rng([seed, n]).multinomial(n, np.full(n, 1 / n), size=draws)
    drawn = _phi(times @ sums)
    drawn = drawn[~np.isnan(drawn)]
    low, high = np.percentile(drawn, [2.5, 97.5]) if len(drawn) else (np.nan, np.nan)
    both = one & other
    return ErrorOverlap(
        float(_phi(sums.sum(axis=0)[None])[0]), float(low), float(high), float(both.mean()),
        float(same[both].mean()) if both.any() else float("nan"), float(1 - same.mean()),
    )  # fmt: skip


def _phi(sums: Float[np.ndarray, "draws 4"]) -> Float[np.ndarray, "draws"]:
    """From items, errors of the one, of the other, and of both."""
    count, a, b, both = sums.T
    scale = np.sqrt(a * (count - a) * b * (count - b))
    return np.asarray(np.where(scale > 0, (count * both - a * b) / np.where(scale > 0, scale, 1.0), np.nan))

"""How well a score ranks right answers above wrong ones: AUROC and risk-coverage (definition 9)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float

from outgrow.core.errors import DataError


def auroc(score: Float[np.ndarray, "n"], correct: Bool[np.ndarray, "n"]) -> float:
    """Probability that a right item scores above a wrong one, ties one half; NaN with one class only.

    Args:
        score: any real numbers; high should mean right.
        correct: whether each item is right.

    Raises:
        DataError: the lengths differ, or a score is NaN.

    Examples:
        >>> auroc(np.array([0.9, 0.8, 0.8, 0.3]), np.array([True, True, False, False]))
        0.875
    """
    _check(score, correct)
    n_right = int(correct.sum())
    n_wrong = len(correct) - n_right
    if n_right == 0 or n_wrong == 0:
        return float("nan")
    _, code, size = np.unique(score, return_inverse=True, return_counts=True)
    middle_rank = np.cumsum(size) - (size - 1) / 2
    above = float(middle_rank[code[correct]].sum()) - n_right * (n_right + 1) / 2
    return above / (n_right * n_wrong)


def auroc_contributions(score: Float[np.ndarray, "n"], correct: Bool[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    """What each item contributes to the AUROC, to first order: their mean is the AUROC (placements of DeLong, 1988).

    NaN with one class only.

    Raises:
        DataError: as `auroc`.
    """
    value, right = auroc(score, correct), float(correct.mean()) if len(correct) else 0.0
    if np.isnan(value):
        return np.full(len(score), np.nan)
    above = np.sort(score[~correct]), np.sort(score[correct])
    share = np.empty(len(score))
    for own, others, sign in ((correct, above[0], 1), (~correct, above[1], -1)):
        below = np.searchsorted(others, score[own], "left") + np.searchsorted(others, score[own], "right")
        placed = below / (2 * len(others))
        share[own] = placed if sign == 1 else 1 - placed
    return value + (share - value) / np.where(correct, right, 1 - right)


@dataclass(frozen=True)
class RiskCoverage:
    """Share of wrong items among the best-scored ones, at coverages 1/n, 2/n, ..., 1."""

    coverage: Float[np.ndarray, "n"]
    risk: Float[np.ndarray, "n"]

    @property
    def aurc(self) -> float:
        """Mean risk over all coverages; low is good."""
        return float(self.risk.mean())

    def thinned(self, points: int = 200) -> RiskCoverage:
        """At most `points` of the coverages, evenly spaced, the last one always among them."""
        n = len(self.coverage)
        chosen = np.unique(np.ceil(np.linspace(0, n, min(points, n) + 1)[1:]).astype(np.int64) - 1)
        return RiskCoverage(self.coverage[chosen], self.risk[chosen])


def risk_coverage(score: Float[np.ndarray, "n"], correct: Bool[np.ndarray, "n"]) -> RiskCoverage:
    """Selective risk when items are taken from the highest score down; among ties, its expectation.

    Raises:
        DataError: the lengths differ, there is no item, or a score is NaN.
    """
    _check(score, correct)
    n = len(score)
    if n == 0:
        raise DataError("risk and coverage need at least one item")
    _, code, size = np.unique(-score, return_inverse=True, return_counts=True)
    wrong = np.bincount(code, weights=~correct, minlength=len(size))
    rate = np.repeat(wrong / size, size)
    taken = np.arange(1, n + 1)
    before = np.repeat(np.cumsum(wrong) - wrong, size)
    within = taken - np.repeat(np.cumsum(size) - size, size)
    return RiskCoverage(taken / n, (before + rate * within) / taken)


def aurc(score: Float[np.ndarray, "n"], correct: Bool[np.ndarray, "n"]) -> float:
    """Area under the risk-coverage curve: mean selective risk over coverages i/n; 0 is best."""
    return risk_coverage(score, correct).aurc


def _check(score: Float[np.ndarray, "n"], correct: Bool[np.ndarray, "m"]) -> None:
    if len(score) != len(correct):
        raise DataError(f"{len(score)} scores for {len(correct)} items; one score per item is needed")
    missing = int(np.isnan(score).sum())
    if missing:
        raise DataError(f"{missing} of {len(score)} scores are NaN; leave those items out and say how many")

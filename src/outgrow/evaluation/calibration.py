"""Is a score presented as P(correct) one: calibration error and Brier score (definition 9)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from outgrow.core.errors import DataError
from outgrow.evaluation.bootstrap import Bootstrap


@dataclass(frozen=True)
class Calibration:
    """Expected calibration error with its 95 % bootstrap interval; 0 is best, 1 worst.

    `debiased` takes off what finite bins add to `value` even when the score is calibrated, and is never below 0.
    The arrays describe the bins: mean score, share right, and number of items.
    """

    value: float
    low: float
    high: float
    debiased: float
    confidence: Float[np.ndarray, "bins"]
    accuracy: Float[np.ndarray, "bins"]
    count: Int[np.ndarray, "bins"]


def equal_mass_bins(prob: Float[np.ndarray, "n"], bins: int) -> Int[np.ndarray, "n"]:
    """Bin of each item, 0 up: about n / bins items each in ascending order, equal scores never split.

    A run of equal scores goes to the bin that holds its middle; bins that stay empty are not numbered.
    """
    _, code, size = np.unique(prob, return_inverse=True, return_counts=True)
    middle = (np.cumsum(size) - size / 2) / len(prob)
    _, place = np.unique(np.floor(middle * bins), return_inverse=True)
    return np.asarray(place[code])


def ece(
    prob: Float[np.ndarray, "n"],
    correct: Bool[np.ndarray, "n"],
    bins: int = 15,
    *,
    groups: Int[np.ndarray, "n"] | None = None,
    draws: int = 10_000,
    seed: int = 0,
) -> Calibration:
    """Expected calibration error over equal-mass bins: `sum_b n_b/n |mean prob - share right|`.

    The interval resamples groups (items, if no groups are given) with the bins held fixed. The debiased
    value subtracts, per bin, how much `|gap|` grows when the share right is redrawn from a normal
    distribution with the binomial variance (after arXiv 1909.10155, here in closed form).

    Raises:
        DataError: the lengths differ, there is no item, or a probability is outside 0 to 1.
    """
    _check(prob, correct)
    code = equal_mass_bins(prob, bins)
    count = np.bincount(code)
    confidence = np.bincount(code, weights=prob) / count
    accuracy = np.bincount(code, weights=correct) / count
    share = count / len(prob)
    gap = np.abs(confidence - accuracy)
    value = float((share * gap).sum())
    expected = _folded_normal_mean(gap, np.sqrt(accuracy * (1 - accuracy) / count))
    debiased = max(0.0, float((share * (2 * gap - expected)).sum()))
    bootstrap = Bootstrap(np.arange(len(prob)) if groups is None else groups, 1, draws=draws, seed=seed)
    inside = (code == np.arange(len(count))[:, None]).astype(np.float64)
    sums = bootstrap.group_sums(bootstrap.per_group(inside * (prob - correct)))
    total = bootstrap.group_sums(bootstrap.per_group(np.ones((1, len(prob)))))
    low, high = np.percentile(np.abs(sums).sum(axis=1) / total[:, 0], [2.5, 97.5])
    return Calibration(value, float(low), float(high), debiased, confidence, accuracy, count)


def brier(prob: Float[np.ndarray, "n"], correct: Bool[np.ndarray, "n"]) -> float:
    """Mean of (prob - correct)^2, 0 best to 1.

    Raises:
        DataError: the lengths differ, there is no item, or a probability is outside 0 to 1.

    Examples:
        >>> brier(np.array([1.0, 0.5]), np.array([True, False]))
        0.125
    """
    _check(prob, correct)
    return float(((prob - correct) ** 2).mean())


def _folded_normal_mean(mean: Float[np.ndarray, "bins"], sd: Float[np.ndarray, "bins"]) -> Float[np.ndarray, "bins"]:
    from scipy import special

    ratio = np.divide(mean, sd, out=np.full_like(mean, np.inf), where=sd > 0)
    return np.asarray(sd * np.sqrt(2 / np.pi) * np.exp(-(ratio**2) / 2) + mean * special.erf(ratio / np.sqrt(2)))


def _check(prob: Float[np.ndarray, "n"], correct: Bool[np.ndarray, "m"]) -> None:
    if len(prob) != len(correct) or len(prob) == 0:
        raise DataError(
            f"{len(prob)} probabilities for {len(correct)} items; one per item, and at least one, is needed"
        )
    wrong = np.flatnonzero(~((prob >= 0) & (prob <= 1)))
    if len(wrong):
        raise DataError(f"{len(wrong)} probabilities are not in 0 to 1; the first is {prob[wrong[0]]!r}")

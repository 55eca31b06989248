"""Is a score presented as P(correct) one: calibration error and Brier score (definition 9)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

from outgrow.core.errors import DataError

CHUNK = 1_000_000  # draws x groups at a time


@dataclass(frozen=True)
class Calibration:
    """How far a score is from P(correct); 0 is best, 1 worst.

    Finite bins differ from their scores even when the score is calibrated, so `value` alone says little.

    Attributes:
        value: expected calibration error (ECE): mean distance of score and share right over bins.
        expected: the ECE that a calibrated score would show on as many items.
        debiased: root mean square distance without what finite bins add; 0 where they add all of it.
        low: lower end of the 95 % interval of `debiased`.
        high: its upper end.
        confidence: mean score of each bin.
        accuracy: share right.
        count: items.
    """

    value: float
    expected: float
    debiased: float
    low: float
    high: float
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
    """Calibration error over equal-mass bins: the ECE `sum_b n_b/n |mean prob - share right|`, and a debiased one.

    The debiased error is the root of `sum_b n_b/n (gap_b^2 - a_b (1 - a_b) / (n_b - 1))`, whose square has no bias
    (bins of one item are left out). Its interval resamples groups (items, if none are given) with the bins held fixed,
    takes off how much the draws exceed the value on average, and ends at 0.

    Raises:
        DataError: the lengths differ, there is no item, or a probability is outside 0 to 1.
    """
    _check(prob, correct)
    code = equal_mass_bins(prob, bins)
    count = np.bincount(code)
    confidence = np.bincount(code, weights=prob) / count
    accuracy = np.bincount(code, weights=correct) / count
    share = count / len(prob)
    noise = np.sqrt(np.bincount(code, weights=prob * (1 - prob))) / count
    squared = float(_squared_error(count[None], (confidence * count)[None], (accuracy * count)[None])[0])
    drawn = _drawn_squares(prob, correct, code, np.arange(len(prob)) if groups is None else groups, draws, seed)
    ends = np.percentile(drawn - (drawn.mean() - squared), [2.5, 97.5])
    low, high = np.sqrt(np.maximum(ends, 0.0))
    return Calibration(
        value=float((share * np.abs(confidence - accuracy)).sum()),
        expected=float((share * noise).sum() * np.sqrt(2 / np.pi)),
        debiased=float(np.sqrt(max(0.0, squared))),
        low=float(low), high=float(high), confidence=confidence, accuracy=accuracy, count=count,
    )  # fmt: skip


def _squared_error(
    count: Float[np.ndarray, "draws bins"] | Int[np.ndarray, "draws bins"],
    scores: Float[np.ndarray, "draws bins"],
    right: Float[np.ndarray, "draws bins"],
) -> Float[np.ndarray, "draws"]:
    """The debiased squared error from the number of items in each bin and the sums of their scores and hits."""
    use = count > 1
    n = np.where(use, count, 2.0)
    accuracy = right / n
    parts = np.where(use, n * (((scores - right) / n) ** 2 - accuracy * (1 - accuracy) / (n - 1)), 0.0)
    return np.asarray(parts.sum(axis=1) / np.maximum(count.sum(axis=1), 1))


def _drawn_squares(
    prob: Float[np.ndarray, "n"],
    correct: Bool[np.ndarray, "n"],
    code: Int[np.ndarray, "n"],
    groups: Int[np.ndarray, "n"],
    draws: int,
    seed: int,
) -> Float[np.ndarray, "draws"]:
    """The squared error of as many groups drawn with replacement."""
    _, cluster = np.unique(groups, return_inverse=True)
    n_groups, bins = int(cluster.max()) + 1, int(code.max()) + 1
    place = cluster * bins + code
    columns = np.stack([np.bincount(place, w, n_groups * bins) for w in (np.ones(len(prob)), prob, correct)])
    sums = columns.reshape(3, n_groups, bins).transpose(1, 0, 2).reshape(n_groups, 3 * bins)
    rng, found = np.random.default_rng([seed, n_groups]), []
    step = max(1, CHUNK // n_groups)
    for start in range(0, draws, step):
        size = min(step, draws - start)
        times = rng.multinomial(n_groups, np.full(n_groups, 1 / n_groups), size=size)
        count, scores, right = (times @ sums).reshape(size, 3, bins).transpose(1, 0, 2)
        found.append(_squared_error(count, scores, right))
    return np.concatenate(found)


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


def _check(prob: Float[np.ndarray, "n"], correct: Bool[np.ndarray, "m"]) -> None:
    if len(prob) != len(correct) or len(prob) == 0:
        raise DataError(
            f"{len(prob)} probabilities for {len(correct)} items; one per item, and at least one, is needed"
        )
    wrong = np.flatnonzero(~((prob >= 0) & (prob <= 1)))
    if len(wrong):
        raise DataError(f"{len(wrong)} probabilities are not in 0 to 1; the first is {prob[wrong[0]]!r}")

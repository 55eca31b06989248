"""Accuracy by level of entropy, and mean reliability by truth and label (figures 3 to 6 of arXiv 2406.19032)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Int

Z = 1.959963984540054  # 97.5 % point of the normal distribution


@dataclass(frozen=True)
class Level:
    """Items of one entropy (the mean entropy, where levels were merged) with a 95 % Wilson interval."""

    entropy: float
    wrong: int
    right: int
    low: float
    high: float

    @property
    def accuracy(self) -> float:
        """Share right, 0 to 1."""
        return self.right / (self.right + self.wrong)

    @property
    def count(self) -> int:
        """Number of items."""
        return self.right + self.wrong


def entropy_levels(
    entropy: Float[np.ndarray, "n"], correct: Bool[np.ndarray, "n"], *, decimals: int = 6
) -> list[Level]:
    """One level per distinct entropy (rounded to `decimals`), ascending. Items with NaN entropy are left out."""
    use = ~np.isnan(entropy)
    values, code = np.unique(np.round(entropy[use], decimals) + 0.0, return_inverse=True)
    right = np.bincount(code, weights=correct[use], minlength=len(values)).astype(np.int64)
    count = np.bincount(code, minlength=len(values))
    return [_level(float(h), int(r), int(c - r)) for h, r, c in zip(values, right, count, strict=True)]


def merge_small(levels: Sequence[Level], minimum: int = 50) -> list[Level]:
    """Levels with fewer than `minimum` items joined with the next higher one (the last with the one before)."""
    merged: list[Level] = []
    for level in levels:
        if merged and merged[-1].count < minimum:
            merged[-1] = _joined(merged[-1], level)
        else:
            merged.append(level)
    if len(merged) > 1 and merged[-1].count < minimum:
        last = merged.pop()
        merged[-1] = _joined(merged[-1], last)
    return merged


class Rise(NamedTuple):
    """Two levels of which the one with more entropy is more often right."""

    lower: Level
    higher: Level


def rises(levels: Sequence[Level]) -> list[Rise]:
    """Pairs of levels whose accuracy rises with entropy beyond overlapping intervals; none is what one hopes for."""
    return [Rise(low, high) for i, low in enumerate(levels) for high in levels[i + 1 :] if high.low > low.high]


@dataclass(frozen=True)
class Heat:
    """Mean reliability of items by truth (rows) and label (columns); NaN where there is no item."""

    truth: tuple[str, ...]
    label: tuple[str, ...]
    mean: Float[np.ndarray, "truths labels"]
    count: Int[np.ndarray, "truths labels"]


def reliability_heat(truth: Sequence[str], label: Sequence[str | None], reliability: Float[np.ndarray, "n"]) -> Heat:
    """Mean reliability per cell of truth and label, both in sorted order.

    Items without a label or with NaN reliability are left out.
    """
    use = [i for i, said in enumerate(label) if said is not None and not np.isnan(reliability[i])]
    values = sorted({truth[i] for i in use} | {str(label[i]) for i in use})
    place = {value: i for i, value in enumerate(values)}
    cell = np.array([place[truth[i]] * len(values) + place[str(label[i])] for i in use], dtype=np.int64)
    shape = (len(values), len(values))
    count = np.bincount(cell, minlength=len(values) ** 2).reshape(shape)
    total = np.bincount(cell, weights=reliability[use], minlength=len(values) ** 2).reshape(shape)
    mean = np.divide(total, count, out=np.full(shape, np.nan), where=count > 0)
    return Heat(tuple(values), tuple(values), mean, count)


def _level(entropy: float, right: int, wrong: int) -> Level:
    n = right + wrong
    share = right / n
    middle = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * float(np.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2)))
    return Level(entropy, wrong, right, max(0.0, middle - half), min(1.0, middle + half))


def _joined(a: Level, b: Level) -> Level:
    entropy = (a.entropy * a.count + b.entropy * b.count) / (a.count + b.count)
    return _level(entropy, a.right + b.right, a.wrong + b.wrong)

"""Crossed bootstrap over groups of questions and seeds, with the same draws in all arms (definition 8)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Int, UInt8

from outgrow.core.errors import DataError

CHUNK = 1_000_000  # draws x groups turned to float64 at a time


@dataclass(frozen=True)
class Interval:
    """A value with its 95 % percentile interval and bootstrap standard error."""

    value: float
    low: float
    high: float
    se: float


@dataclass(frozen=True)
class Drawn:
    """A metric of an arm: on its questions and seeds as they are, and in every draw."""

    value: float
    draws: Float[np.ndarray, "draws"]

    def interval(self) -> Interval:
        """The value with its 95 % interval."""
        low, high = np.percentile(self.draws, [2.5, 97.5])
        return Interval(self.value, float(low), float(high), float(self.draws.std()))


class Bootstrap:
    """Draws of groups and seeds, made once and shared by every arm that is compared.

    Each draw takes G of the G groups and S of the S seeds with replacement. A question's group is
    drawn as a whole, so questions that belong together are never counted as independent.

    Args:
        groups: group code of each question; any integers.
        n_seeds: number of rows of the matrices to come.
        draws: number of draws.
        seed: of the draws; they depend on nothing else but the number of groups and seeds.

    Raises:
        DataError: there is no question, no seed or no draw.
    """

    def __init__(
        self, groups: Int[np.ndarray, "questions"], n_seeds: int, *, draws: int = 10_000, seed: int = 0
    ) -> None:
        if len(groups) == 0 or n_seeds < 1 or draws < 1:
            raise DataError(
                f"a bootstrap needs at least one question, seed and draw; "
                f"got {len(groups)} questions, {n_seeds} seeds and {draws} draws"
            )
        self.groups = groups
        self.n_seeds = n_seeds
        self.draws = draws
        self.seed = seed
        _, codes, sizes = np.unique(groups, return_inverse=True, return_counts=True)
        self._codes = codes
        self._sizes = sizes.astype(np.float64)

    @cached_property
    def group_counts(self) -> UInt8[np.ndarray, "draws groups"]:
        """How often each draw holds each group."""
        n_groups = len(self._sizes)
        rng = np.random.default_rng([self.seed, n_groups])
        counts = np.empty((self.draws, n_groups), np.uint8)
        step = max(1, CHUNK // n_groups)
        for start in range(0, self.draws, step):
            size = min(step, self.draws - start)
            picks = rng.integers(0, n_groups, size=(size, n_groups)) + n_groups * np.arange(size)[:, None]
            counts[start : start + size] = np.bincount(picks.ravel(), minlength=size * n_groups).reshape(size, n_groups)
        return counts

    @cached_property
    def seed_counts(self) -> Float[np.ndarray, "draws seeds"]:
        """How often each draw holds each seed."""
        rng = np.random.default_rng([self.seed, self.n_seeds, 1])
        return rng.multinomial(self.n_seeds, np.full(self.n_seeds, 1 / self.n_seeds), size=self.draws).astype(
            np.float64
        )

    def _chunks(self, columns: int) -> Iterator[tuple[slice, Float[np.ndarray, "some groups"]]]:
        """Some draws at a time, and how often each of them holds each group."""
        step = max(1, CHUNK // max(len(self._sizes), columns))
        for start in range(0, self.draws, step):
            part = slice(start, start + step)
            yield part, self.group_counts[part].astype(np.float64)

    def group_sums(self, per_group: Float[np.ndarray, "groups columns"]) -> Float[np.ndarray, "draws columns"]:
        """Sum over each draw's groups of the given per-group sums."""
        sums = np.empty((self.draws, per_group.shape[1]))
        for part, counts in self._chunks(per_group.shape[1]):
            sums[part] = counts @ per_group
        return sums

    def per_group(self, scores: Float[np.ndarray, "columns questions"]) -> Float[np.ndarray, "groups columns"]:
        """Scores summed within each group."""
        n_groups = len(self._sizes)
        return np.stack([np.bincount(self._codes, weights=row, minlength=n_groups) for row in scores], axis=1)

    def draw_all(
        self,
        arms: Mapping[str, Float[np.ndarray, "seeds questions statistics"]],
        value: Callable[[Float[np.ndarray, "*any statistics"]], Float[np.ndarray, "*any"]],
    ) -> dict[str, Drawn]:
        """A metric of several arms in the same draws, in one pass over them.

        Args:
            arms: statistics of each question and seed, per arm.
            value: the metric, from statistics summed over questions and seeds.

        Raises:
            DataError: an array does not have one row per seed and one column per question, or holds NaN.

        Examples:
        The mean of a score, which is its sum over the number of questions:

        >>> right = np.tile([1.0, 1.0, 1.0, 0.0], (2, 25))
        >>> arms = {"naive": np.stack([right, np.ones_like(right)], axis=2)}
        >>> drawn = Bootstrap(np.arange(100), 2).draw_all(arms, lambda sums: sums[..., 0] / sums[..., 1])
        >>> interval = drawn["naive"].interval()
        >>> interval.value, interval.low < 0.75 < interval.high
        (0.75, True)
        """
        for statistics in arms.values():
            self.check(statistics)
        size = next(iter(arms.values())).shape[2]
        stacked = [s.transpose(0, 2, 1).reshape(-1, len(self.groups)) for s in arms.values()]
        columns = np.concatenate([self.per_group(rows) for rows in stacked], axis=1)
        sums = np.empty((self.draws, len(arms), size))
        for part, counts in self._chunks(columns.shape[1]):
            by_seed = (counts @ columns).reshape(-1, len(arms), self.n_seeds, size)
            sums[part] = (by_seed * self.seed_counts[part, None, :, None]).sum(axis=2)
        drawn = value(sums)
        return {name: Drawn(float(value(s.sum(axis=(0, 1)))), drawn[:, i]) for i, (name, s) in enumerate(arms.items())}

    def check(self, statistics: Float[np.ndarray, "seeds questions statistics"]) -> None:
        """Refuse an array that is not aligned to the questions and seeds of the draws."""
        if statistics.shape[:2] != (self.n_seeds, len(self.groups)):
            raise DataError(
                f"statistics of shape {statistics.shape} do not fit {self.n_seeds} seeds and "
                f"{len(self.groups)} questions"
            )
        if not np.isfinite(statistics).all():
            missing = int((~np.isfinite(statistics).all(axis=2)).sum())
            raise DataError(f"{missing} answers have statistics that are not finite; each question needs them")

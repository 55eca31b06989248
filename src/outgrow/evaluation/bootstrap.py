"""Crossed bootstrap over groups of questions and seeds, with the same draws in all arms (definition 8)."""

from __future__ import annotations

from collections.abc import Mapping
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
    """Mean score of an arm: on its questions and seeds as they are, and in every draw."""

    value: float
    means: Float[np.ndarray, "draws"]

    def interval(self) -> Interval:
        """The mean with its 95 % interval."""
        low, high = np.percentile(self.means, [2.5, 97.5])
        return Interval(self.value, float(low), float(high), float(self.means.std()))


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

    @cached_property
    def _questions(self) -> Float[np.ndarray, "draws"]:
        return self.group_sums(self._sizes[:, None])[:, 0]

    def group_sums(self, per_group: Float[np.ndarray, "groups columns"]) -> Float[np.ndarray, "draws columns"]:
        """Sum over each draw's groups of the given per-group sums."""
        found = np.empty((self.draws, per_group.shape[1]))
        step = max(1, CHUNK // per_group.shape[0])
        for start in range(0, self.draws, step):
            found[start : start + step] = self.group_counts[start : start + step].astype(np.float64) @ per_group
        return found

    def per_group(self, scores: Float[np.ndarray, "columns questions"]) -> Float[np.ndarray, "groups columns"]:
        """Scores summed within each group."""
        n_groups = len(self._sizes)
        return np.stack([np.bincount(self._codes, weights=row, minlength=n_groups) for row in scores], axis=1)

    def means(self, scores: Float[np.ndarray, "seeds questions"]) -> Float[np.ndarray, "draws"]:
        """Mean score of each draw over its questions and seeds.

        Raises:
            DataError: the matrix does not have one row per seed and one column per question, or holds NaN.
        """
        return self.draw_all({"": scores})[""].means

    def draw_all(self, arms: Mapping[str, Float[np.ndarray, "seeds questions"]]) -> dict[str, Drawn]:
        """Means of several arms in the same draws, in one pass over them. Raises as `means`."""
        for scores in arms.values():
            self.check(scores)
        stacked = np.concatenate([self.per_group(scores) for scores in arms.values()], axis=1)
        sums = self.group_sums(stacked).reshape(self.draws, len(arms), self.n_seeds)
        means = (sums * self.seed_counts[:, None, :]).sum(axis=2) / (self._questions[:, None] * self.n_seeds)
        return {name: Drawn(float(arms[name].mean()), means[:, i]) for i, name in enumerate(arms)}

    def check(self, scores: Float[np.ndarray, "seeds questions"]) -> None:
        """Refuse a matrix that is not aligned to the questions and seeds of the draws."""
        if scores.shape != (self.n_seeds, len(self.groups)):
            raise DataError(
                f"scores of shape {scores.shape} do not fit {self.n_seeds} seeds and {len(self.groups)} questions"
            )
        if not np.isfinite(scores).all():
            raise DataError(f"{int((~np.isfinite(scores)).sum())} scores are not finite; each question needs a score")

    def interval(self, scores: Float[np.ndarray, "seeds questions"]) -> Interval:
        """Mean score over questions and seeds with its 95 % interval."""
        return self.draw_all({"": scores})[""].interval()


def accuracy_interval(
    correct: Float[np.ndarray, "seeds questions"],
    groups: Int[np.ndarray, "questions"],
    *,
    draws: int = 10_000,
    seed: int = 0,
) -> Interval:
    """Mean of `correct` (0 to 1) with its crossed-bootstrap interval; use `Bootstrap` to share draws between arms."""
    return Bootstrap(groups, correct.shape[0], draws=draws, seed=seed).interval(correct)

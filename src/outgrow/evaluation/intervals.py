"""Means, differences and ratios of arms, with intervals from both sources of error: questions and seeds (definition 8).

The half-width of an interval is the root of (t(G - 1) x error over questions)^2 + (t(S - 1) x error over seeds)^2: G
groups are many and S seeds are few, so each error gets the quantile of its own degrees of freedom. One quantile of
S - 1 degrees for both wastes most of the power of a large test set; degrees of freedom after Satterthwaite do not hold
at two seeds, and a percentile bootstrap over few seeds is too narrow (`docs/statistics.md`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from outgrow.core.errors import DataError

ALPHA = 0.05


@dataclass(frozen=True)
class Interval:
    """A value with its standard error and 95 % interval.

    With one seed `low`, `high` and `p` are NaN, and `se` holds the error over questions alone; with one group of
    questions `se` is NaN too.

    Attributes:
        p: two-sided, against 0: the interval of level 1 - p ends at 0.
    """

    value: float
    se: float
    low: float
    high: float
    p: float


class Errors(NamedTuple):
    """Variances of a mean: over questions, and over seeds (NaN from one seed)."""

    questions: float
    seeds: float


@dataclass(frozen=True)
class Ratio:
    """A ratio of two means with its 95 % interval (Fieller); NaN where it is not defined.

    Attributes:
        least: lower end of the interval of the denominator.
    """

    value: float
    low: float
    high: float
    least: float


class Joint:
    """Means of several arms on the same questions and seeds, with the errors that they share.

    Args:
        scores: per arm what each answer contributes to its mean (`outgrow.evaluation.linearised`).
        groups: group code of each question; questions of a group are never counted as independent.

    Raises:
        DataError: the matrices differ in shape, do not fit the groups, are empty or hold NaN.

    Examples:
        >>> a, b = np.tile([1.0, 1.0, 1.0, 0.0], (2, 25)), np.tile([1.0, 0.0, 1.0, 0.0], (2, 25))
        >>> joint = Joint({"a": a, "b": b}, np.arange(100))
        >>> gain = joint.interval({"a": 1, "b": -1})
        >>> gain.value, gain.low < 0.25 < gain.high
        (0.25, True)
    """

    def __init__(
        self, scores: Mapping[str, Float[np.ndarray, "seeds questions"]], groups: Int[np.ndarray, "questions"]
    ) -> None:
        shapes = {matrix.shape for matrix in scores.values()}
        if len(shapes) != 1 or next(iter(shapes))[1] != len(groups) or 0 in next(iter(shapes)):
            raise DataError(f"arms of shapes {sorted(shapes)} with {len(groups)} questions cannot be compared")
        stacked = np.stack(list(scores.values()))
        if not np.isfinite(stacked).all():
            raise DataError("scores hold NaN; each question needs a score in every arm")
        self.place = {name: i for i, name in enumerate(scores)}
        _, self.seeds, questions = stacked.shape
        self.means = stacked.mean(axis=(1, 2))
        _, codes = np.unique(groups, return_inverse=True)
        self.groups = int(codes.max()) + 1
        away = stacked.mean(axis=1) - self.means[:, None]
        summed = np.stack([np.bincount(codes, weights=row, minlength=self.groups) for row in away])
        self.over_questions = summed @ summed.T / questions**2 * self.groups / max(1, self.groups - 1)
        by_seed = stacked.mean(axis=2) - self.means[:, None]
        self.over_seeds = by_seed @ by_seed.T / max(1, self.seeds - 1) / self.seeds

    def weights(self, arms: Mapping[str, float | int]) -> Float[np.ndarray, "arms"]:
        """A combination of arms as a vector."""
        vector = np.zeros(len(self.place))
        for name, weight in arms.items():
            vector[self.place[name]] += weight
        return vector

    def errors(self, arms: Mapping[str, float | int]) -> Errors:
        """Both variances of a combination of means."""
        vector = self.weights(arms)
        questions, seeds = (max(0.0, float(vector @ of @ vector)) for of in (self.over_questions, self.over_seeds))
        return Errors(questions, seeds if self.seeds > 1 else np.nan)

    def interval(self, arms: Mapping[str, float | int]) -> Interval:
        """The mean of one arm (`{"a": 1}`), a difference (`{"a": 1, "b": -1}`) or any other combination."""
        value, (questions, seeds) = float(self.weights(arms) @ self.means), self.errors(arms)
        if self.seeds == 1 or self.groups == 1:
            return Interval(value, float(np.sqrt(questions)) if self.groups > 1 else np.nan, np.nan, np.nan, np.nan)
        half = float(np.sqrt(self._squares(ALPHA) @ [questions, seeds]))
        se = float(np.sqrt(questions + seeds))
        return Interval(value, se, value - half, value + half, self._p(value, questions, seeds))

    def question_interval(self, arms: Mapping[str, float | int]) -> Interval:
        """`interval` for these very answers, whatever another seed would have said: the error over questions alone."""
        value, questions = float(self.weights(arms) @ self.means), self.errors(arms).questions
        if self.groups == 1:
            return Interval(value, np.nan, np.nan, np.nan, np.nan)
        half = float(np.sqrt(self._squares(ALPHA)[0] * questions))
        return Interval(value, float(np.sqrt(questions)), value - half, value + half, self._p(value, questions, 0.0))

    def ratio(self, above: Mapping[str, float | int], below: Mapping[str, float | int]) -> Ratio:
        """One combination over another: all ratios r for which the interval of above - r x below holds 0.

        Bounded where the interval of `below` lies above 0; NaN elsewhere. With one seed `least` holds the error over
        questions alone, and there is no interval.
        """
        n, d = self.weights(above), self.weights(below)
        square = self._moments
        least = float(d @ self.means) - float(np.sqrt(max(0.0, d @ square @ d)))
        top, bottom = float(n @ self.means), float(d @ self.means)
        if not least > 0:
            return Ratio(np.nan, np.nan, np.nan, least)
        a, b, c = bottom**2 - d @ square @ d, top * bottom - n @ square @ d, top**2 - n @ square @ n
        root = float(np.sqrt(max(0.0, b**2 - a * c))) if self.seeds > 1 else np.nan
        return Ratio(top / bottom, float((b - root) / a), float((b + root) / a), least)

    @cached_property
    def _moments(self) -> Float[np.ndarray, "arms arms"]:
        """Of the squared half-width of any combination."""
        questions, seeds = self._squares(ALPHA)
        return np.asarray(questions * self.over_questions + seeds * self.over_seeds)

    def detectable(self, arms: Mapping[str, float | int], power: float = 0.8) -> float:
        """Smallest true value that an interval like this one excludes 0 for with probability `power`; NaN at one seed.

        Exact for errors over seeds that are normal (integrated over their estimate), which matters at few seeds.
        """
        from scipy import optimize, special

        questions, seeds = self.errors(arms)
        if self.seeds == 1 or self.groups == 1:
            return np.nan
        nodes, weights = np.polynomial.legendre.leggauss(500)
        freedom = (self.seeds - 1) / 2
        drawn = seeds * special.gammaincinv(freedom, (nodes + 1) / 2) / freedom
        half = np.sqrt(np.stack([np.full(500, questions), drawn], axis=1) @ self._squares(ALPHA))
        se = np.sqrt(questions + seeds)
        if se == 0:
            return 0.0

        def lacking(value: float) -> float:
            found = special.ndtr((value - half) / se) + special.ndtr((-value - half) / se)
            return float((weights * found).sum() / 2) - power

        return float(optimize.brentq(lacking, 0.0, 10 * float(half.max()) + 10 * se))

    def _squares(self, alpha: float) -> Float[np.ndarray, "2"]:
        """Squared two-sided quantiles at `alpha` for the errors over questions and over seeds."""
        from scipy import special

        freedoms = (self.groups - 1, self.seeds - 1)
        return np.array([special.stdtrit(freedom, alpha / 2) ** 2 if freedom else 0.0 for freedom in freedoms])

    def _p(self, value: float, questions: float, seeds: float) -> float:
        """The alpha at which the interval ends at 0."""
        from scipy import optimize

        if questions + seeds == 0:
            return float(value == 0)

        def beyond(log_p: float) -> float:
            return float(self._squares(np.exp(log_p)) @ [questions, seeds]) - value**2

        if beyond(-1e-9) >= 0:
            return 1.0
        return float(np.exp(optimize.brentq(beyond, -200.0, -1e-9))) if beyond(-200.0) > 0 else 0.0


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

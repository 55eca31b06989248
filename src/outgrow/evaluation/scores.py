"""How good several arms are by one metric, on one order of questions, and how often a student repeats its teacher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, Int

from outgrow.core.errors import DataError
from outgrow.evaluation.gap import PGR, gap_recovered
from outgrow.evaluation.intervals import Interval, Joint
from outgrow.evaluation.metrics import Metric, linearised


@dataclass(frozen=True)
class PairedScores:
    """One metric of several arms on the same questions and seeds.

    The value over several seeds is that of all their answers taken together.

    Args:
        metric: what is measured.
        groups: group code of each question.
        arms: per arm the metric's statistics.
    """

    metric: Metric
    groups: Int[np.ndarray, "questions"]
    arms: Mapping[str, Float[np.ndarray, "seeds questions statistics"]]

    @classmethod
    def of(
        cls,
        metric: Metric,
        groups: Int[np.ndarray, "questions"],
        questions: Sequence[str],
        predicted: Mapping[str, Sequence[Mapping[str, Any]]],
        gold: Mapping[str, Any],
    ) -> PairedScores:
        """From answers.

        Args:
            metric: what is measured.
            groups: group code of each question.
            questions: their ids.
            predicted: per arm and seed, question to what the metric judges, in gold's own form; a question that is
                not there has no valid answer.
            gold: question to its truth.

        Raises:
            DataError: a question has no gold, arms have other numbers of questions or seeds than others, or the
                metric is not defined for such answers.
        """
        missing = [q for q in questions if q not in gold]
        if missing:
            raise DataError(f"{len(missing)} questions have no gold label; the first is {missing[0]!r}")
        truth = [gold[q] for q in questions]
        answers = {arm: [[one.get(q) for q in questions] for one in seeds] for arm, seeds in predicted.items()}
        rows = [truth, *(row for seeds in answers.values() for row in seeds)]
        classes = sorted({value for row in rows for value in row if isinstance(value, str)})
        statistics = {
            arm: np.stack([metric.statistics(row, truth, classes) for row in seeds]) for arm, seeds in answers.items()
        }
        return cls(metric, groups, statistics)

    def __post_init__(self) -> None:
        if not self.arms:
            raise DataError("there are no arms to compare")
        seeds = len(next(iter(self.arms.values())))
        for statistics in self.arms.values():
            if statistics.shape[:2] != (seeds, len(self.groups)):
                raise DataError(
                    f"statistics of shape {statistics.shape} do not fit {seeds} seeds and {len(self.groups)} questions"
                )
            if not np.isfinite(statistics).all():
                missing = int((~np.isfinite(statistics).all(axis=2)).sum())
                raise DataError(f"{missing} answers have statistics that are not finite; each question needs them")

    def with_mean(self, name: str, of: Sequence[str]) -> PairedScores:
        """With a further arm: the answers of some others taken together, each arm weighing the same.

        Of a metric that is a mean, such as accuracy, its value is the mean of theirs.
        """
        return replace(self, arms={**self.arms, name: np.mean([self.arms[arm] for arm in of], axis=0)})

    @cached_property
    def joint(self) -> Joint:
        """Means of all arms with their errors; metrics that are no means are linearised."""
        return Joint({name: linearised(self.metric, statistics) for name, statistics in self.arms.items()}, self.groups)

    def interval(self, arm: str) -> Interval:
        """The metric of one arm over questions and seeds."""
        return self.joint.interval({arm: 1})

    def per_seed(self, arm: str) -> list[float]:
        """The metric of one arm in each seed."""
        return [float(value) for value in self.metric.value(self.arms[arm].sum(axis=1))]

    def gap_recovered(self, arm: str, *, floor: str, ceiling: str, chance: float | None = None) -> PGR:
        """Performance gap recovered by one arm; of a metric that is better when lower, from the negative values."""
        sign = 1 if self.metric.higher_is_better else -1
        return gap_recovered(self.joint, arm, floor=floor, ceiling=ceiling, sign=sign, chance=chance)

    def difference(self, a: str, b: str) -> Interval:
        """Arm `a` minus arm `b`, paired by question and seed."""
        return self.joint.interval({a: 1, b: -1})


@dataclass(frozen=True)
class Agreement:
    """Share of questions on which a student says what its supervisor said; NaN where there is no such question."""

    overall: float
    when_right: float
    when_wrong: float


def agreement_with_supervisor(
    student_values: Sequence[str | None],
    supervisor_values: Sequence[str | None],
    supervisor_right: Bool[np.ndarray, "questions"],
) -> Agreement:
    """How often the student repeats its supervisor, split by whether the supervisor was right.

    An answer that could not be parsed agrees with nothing, not even with another such answer.

    Raises:
        DataError: the lengths differ.
    """
    if not len(student_values) == len(supervisor_values) == len(supervisor_right):
        raise DataError(
            f"{len(student_values)} student answers, {len(supervisor_values)} supervisor answers and "
            f"{len(supervisor_right)} marks; all three need one entry per question"
        )
    pairs = zip(student_values, supervisor_values, strict=True)
    same = np.array([s is not None and s == w for s, w in pairs], dtype=bool)
    return Agreement(_share(same), _share(same[supervisor_right]), _share(same[~supervisor_right]))


def _share(marks: Bool[np.ndarray, "n"]) -> float:
    return float(marks.mean()) if len(marks) else float("nan")

"""Right or wrong, per arm, seed and question, on one common order of questions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float, Int

from outgrow.core.errors import DataError
from outgrow.evaluation.bootstrap import Bootstrap, Drawn, Interval
from outgrow.evaluation.difference import Difference, difference
from outgrow.evaluation.gap import PGR, gap_recovered


def correctness(
    questions: Sequence[str], said: Mapping[str, str | None], gold: Mapping[str, str]
) -> Float[np.ndarray, "questions"]:
    """1.0 where what was said equals gold, else 0.0; an answer that could not be parsed is wrong.

    Raises:
        DataError: a question has no answer or no gold.
    """
    for name, table in (("answer", said), ("gold label", gold)):
        missing = [q for q in questions if q not in table]
        if missing:
            raise DataError(f"{len(missing)} questions have no {name}; the first is {missing[0]!r}")
    return np.array([float(said[q] is not None and said[q] == gold[q]) for q in questions], dtype=np.float64)


@dataclass(frozen=True)
class PairedScores:
    """Scores of several arms on the same questions and seeds, with draws shared by all of them.

    Args:
        questions: the common order of questions.
        groups: group code of each question; groups are resampled whole.
        arms: per arm a matrix of scores from 0 to 1.
        draws: bootstrap draws.
        seed: of the draws.
    """

    questions: tuple[str, ...]
    groups: Int[np.ndarray, "questions"]
    arms: Mapping[str, Float[np.ndarray, "seeds questions"]]
    draws: int = 10_000
    seed: int = 0

    def __post_init__(self) -> None:
        if len(self.questions) != len(self.groups):
            raise DataError(f"{len(self.questions)} questions with {len(self.groups)} groups")
        if not self.arms:
            raise DataError("there are no arms to compare")
        for scores in self.arms.values():
            self.bootstrap.check(scores)

    @cached_property
    def bootstrap(self) -> Bootstrap:
        """The draws."""
        n_seeds = next(iter(self.arms.values())).shape[0]
        return Bootstrap(self.groups, n_seeds, draws=self.draws, seed=self.seed)

    @cached_property
    def drawn(self) -> dict[str, Drawn]:
        """Means of every arm in every draw."""
        return self.bootstrap.draw_all(self.arms)

    def accuracy(self, arm: str) -> Interval:
        """Accuracy of one arm over questions and seeds."""
        return self.drawn[arm].interval()

    def gap_recovered(self, arm: str, *, floor: str, ceiling: str) -> PGR:
        """Performance gap recovered by one arm."""
        return gap_recovered(self.drawn[arm], self.drawn[floor], self.drawn[ceiling])

    def difference(self, a: str, b: str) -> Difference:
        """Arm `a` minus arm `b`."""
        return difference(self.arms[a], self.arms[b], self.groups)


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

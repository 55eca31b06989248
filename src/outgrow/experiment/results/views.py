"""A split with its gold, and what one seed's supervisor said: what results are computed from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import Float, Int

from outgrow.core.lab import Source, Student
from outgrow.experiment.lab import identity_answers


@dataclass(frozen=True)
class Split:
    """A split with its gold, in one order of questions."""

    ids: tuple[str, ...]
    groups: Int[np.ndarray, "questions"]
    questions: tuple[str, ...]
    choices: tuple[Any, ...]
    strata: tuple[str, ...]
    gold: Mapping[str, str]

    @property
    def group_of(self) -> dict[str, int]:
        """Question to the number of its group."""
        return dict(zip(self.ids, self.groups.tolist(), strict=True))

    def gold_table(self) -> pa.Table:
        """The gold as a table of `example_id` and `value`."""
        return pa.table({"example_id": list(self.ids), "value": [self.gold[i] for i in self.ids]})

    def right(self, answers: Mapping[str, str | None]) -> Float[np.ndarray, "questions"]:
        """1 where the answer is the truth."""
        return np.array([float(answers.get(i) is not None and answers.get(i) == self.gold[i]) for i in self.ids])


@dataclass(frozen=True)
class Seed:
    """What one seed's supervisor said."""

    seed: int
    supervisor: Source
    pool_answers: pa.Table
    pool: pa.Table  # labels
    test: pa.Table  # labels
    floor: Mapping[str, str]  # identity wording of test
    test_answers: pa.Table
    known: pa.Table | None = None  # labels, where the task has known questions


@dataclass(frozen=True)
class Member:
    """One of several supervisors of a cell, with its answers to the test per seed.

    Attributes:
        name: the recipe's.
        tuned_on: gold questions it was tuned on; None where it is taken as it is.
        unanswered: test questions it was not asked.
        answers: of all wordings (`core.tables.ANSWERS`).
        floor: its answer to each question's identity wording.
        vote: its consensus label of each question.
    """

    name: str
    tuned_on: int | None
    unanswered: int
    answers: Sequence[pa.Table]
    floor: Sequence[Mapping[str, str]]
    vote: Sequence[Mapping[str, str | None]]

    @property
    def identity(self) -> list[pa.Table]:
        """Answers to the identity wording, by which each is counted once."""
        return [identity_answers(table) for table in self.answers]


def tuned_on(supervisor: Source) -> int | None:
    """Gold questions that a supervisor was tuned on; None where it is taken as it is."""
    return supervisor.n_questions if isinstance(supervisor, Student) else None


def values_of(labels: pa.Table) -> dict[str, str | None]:
    """Question to its consensus label."""
    return dict(zip(labels["example_id"].to_pylist(), labels["value"].to_pylist(), strict=True))

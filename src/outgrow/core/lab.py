"""What a method works with: whom it can ask, what it can train, and the protocol of the lab that offers it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import pyarrow as pa


@dataclass(frozen=True)
class Source:
    """Who answers: an untuned model, or a model trained by the lab (a student is a source too).

    `key` identifies the artefact that holds the weights; `name` is what answers call it.
    """

    name: str
    key: str


@dataclass(frozen=True)
class Student(Source):
    """A model trained by the lab, with the facts of its training that a report prints."""

    n_rows: int = 0
    n_questions: int = 0
    steps: int = 0
    chosen_step: int = 0


@runtime_checkable
class Lab(Protocol):
    """The bench on which a method works: it offers the steps that cost something.

    `pool` and `validation` are examples tables without gold and with public meta only.
    """

    @property
    def seed(self) -> int:
        """Of this repetition: draws, ties and training."""
        ...

    @property
    def pool(self) -> pa.Table:
        """The questions to train on, without gold."""
        ...

    @property
    def validation(self) -> pa.Table:
        """Further questions without gold."""
        ...

    @property
    def known(self) -> pa.Table:
        """Questions whose gold labels may be bought; empty where the task has none."""
        ...

    @property
    def supervisors(self) -> tuple[Source, ...]:
        """The weak supervisors, tuned, in the recipe's order."""
        ...

    @property
    def models(self) -> tuple[Source, ...]:
        """Everybody who can be asked: supervisors and the student before training."""
        ...

    @property
    def student(self) -> Source:
        """The strong model before training."""
        ...

    @property
    def variants(self) -> int:
        """The recipe's number of wordings per question, identity included."""
        ...

    def ask(self, source: Source, questions: pa.Table, *, variants: int | None = None) -> pa.Table:
        """Answers of `source` to each question in `variants` wordings (1: the identity alone)."""
        ...

    def train(self, start: Source, rows: pa.Table, objective: Any = None, *, weights: str = "mean_one") -> Student:
        """`start` fine-tuned on `rows`; prompts and targets that are not in words yet are put into words."""
        ...

    def note(self, text: str) -> None:
        """Something a reader of the results should know about this arm."""
        ...

    def known_gold(self) -> pa.Table:
        """Gold labels of `known`; the report says how many an arm has bought."""
        ...

    def in_form_of(self, gold: pa.Table, said: pa.Table) -> pa.Table:
        """`said` (answers or labels), each value in its gold's own form where the task judges the two equal."""
        ...

    def gold(self, questions: pa.Table) -> pa.Table:
        """Gold labels of `questions`, for methods that declared `uses_gold=True`; others get `SealedError`."""
        ...

"""The lab: the runner on which methods ask, train and predict, each result kept in the store.

A `StepRunner` belongs to an experiment: it knows the task, the sealed gold and the store. A `Lab` belongs to one method
and one seed; it offers what `records.Lab` promises, and none of its attributes leads to gold. That guards against
mistakes; Python cannot hide what a function has closed over from code that is bent on looking.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import SealedError
from outgrow.core.lab import Source, Student

Ask = Callable[[Source, pa.Table, int | None], pa.Table]
Train = Callable[[Source, pa.Table, Any, str], Student]
Gold = Callable[[pa.Table], pa.Table]
KnownGold = Callable[[], pa.Table]
InForm = Callable[[pa.Table, pa.Table], pa.Table]


class Lab:
    """What one method works with, for one seed.

    The costly steps are functions given from outside; the lab itself owns only tables that a method may see.
    """

    __slots__ = (
        "_ask",
        "_gold",
        "_in_form_of",
        "_known_gold",
        "_notes",
        "_train",
        "known",
        "models",
        "pool",
        "seed",
        "student",
        "supervisors",
        "validation",
        "variants",
    )

    def __init__(
        self,
        *,
        seed: int,
        pool: pa.Table,
        validation: pa.Table,
        known: pa.Table,
        supervisors: tuple[Source, ...],
        student: Source,
        variants: int,
        ask: Ask,
        train: Train,
        gold: Gold,
        known_gold: KnownGold,
        in_form_of: InForm,
        notes: list[str],
    ) -> None:
        self.seed = seed
        self.pool = pool
        self.validation = validation
        self.known = known
        self.supervisors = supervisors
        self.student = student
        self.models = (*supervisors, student)
        self.variants = variants
        self._ask = ask
        self._train = train
        self._gold = gold
        self._known_gold = known_gold
        self._in_form_of = in_form_of
        self._notes = notes

    def ask(self, source: Source, questions: pa.Table, *, variants: int | None = None) -> pa.Table:
        """Answers of `source`: the recipe's wordings and samples, or with `variants=1` the identity's first alone."""
        return self._ask(source, questions, variants)

    def train(self, start: Source, rows: pa.Table, objective: Any = None, *, weights: str = "mean_one") -> Student:
        """`start` fine-tuned on `rows`, for as many steps as every other arm."""
        return self._train(start, rows, objective, weights)

    def note(self, text: str) -> None:
        """Something a reader of the results should know about this arm."""
        self._notes.append(text)

    def known_gold(self) -> pa.Table:
        """Gold labels of `known`, which the report charges to the arm."""
        return self._known_gold()

    def in_form_of(self, gold: pa.Table, said: pa.Table) -> pa.Table:
        """`said` with gold's own form where the task judges a value equal to its gold (`1+x` where gold is `x+1`)."""
        return self._in_form_of(gold, said)

    def gold(self, questions: pa.Table) -> pa.Table:
        """Gold labels, for methods that declared `uses_gold=True`.

        Raises:
            SealedError: the method did not declare it.
        """
        return self._gold(questions)


def sealed(method: str) -> Gold:
    """The gold function of a method that did not declare `uses_gold=True`: it refuses."""

    def refuse(questions: pa.Table) -> pa.Table:
        raise SealedError(
            f"the method '{method}' asked for gold labels but is not declared uses_gold=True; "
            "declare it (reports will mark it as an oracle), or work with the supervisor's answers"
        )

    return refuse


def public(examples: pa.Table, keys: tuple[str, ...]) -> pa.Table:
    """Examples whose `meta` holds only the public keys (null where none is left)."""
    import json

    shown = []
    for meta in examples["meta"].to_pylist():
        kept = {k: v for k, v in json.loads(meta).items() if k in keys} if meta else {}
        shown.append(json.dumps(kept, sort_keys=True) if kept else None)
    place = examples.column_names.index("meta")
    return examples.set_column(place, examples.schema.field("meta"), pa.array(shown, pa.string()))


def identity_answers(answers: pa.Table) -> pa.Table:
    """The answers to the identity wording, first sample."""
    return answers.filter(pc.and_(pc.equal(answers["variant"], 0), pc.equal(answers["sample"], 0)))

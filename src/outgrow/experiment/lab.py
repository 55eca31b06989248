"""The lab that a method works in: what it may see, and the steps it may ask for.

A `StepRunner` belongs to an experiment: it knows the task, the sealed gold and the store. A `MethodLab` belongs to one
method and one seed; it offers what `core.lab.Lab` promises, and none of its attributes leads to gold. That guards
against mistakes; Python cannot hide what a function has closed over from code that is bent on looking.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from types import MappingProxyType
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import SealedError
from outgrow.core.lab import How, Probe, Select, Source, Student
from outgrow.core.tables import of_pairs
from outgrow.reliability.labels import label_answers, of_several

Gold = Callable[[pa.Table], pa.Table]


@dataclass(frozen=True)
class Doors:
    """The functions behind a lab; each as the method of `core.lab.Lab` with its name."""

    ask: Callable[[Source, pa.Table, How | None, int | None], pa.Table]
    tokens: Callable[[Source, pa.Table, How], pa.Table]
    train: Callable[..., Student]
    pretrain: Callable[..., Student]
    derive: Callable[..., Student]
    contrast: Callable[..., Student]
    best_of: Callable[..., Student]
    joint: Callable[..., Student]
    prompt: Callable[..., Student]
    score: Callable[[Source, Sequence[str], Sequence[str]], pa.Table]
    activations: Callable[[Source, pa.Table, Sequence[int], str], Any]
    do: Callable[[Any], Any]
    known_gold: Callable[[str | None], pa.Table]
    in_form_of: Callable[[pa.Table, pa.Table], pa.Table]
    gold: Gold


class MethodLab:
    """What one method works with, for one seed.

    The costly steps are functions given from outside; the lab itself owns only tables that a method may see.

    Args:
        seed: of this repetition.
        splits: examples of `pool`, `validation`, `known` and `supervisor_train`, without gold.
        supervisors: the weak supervisors, tuned.
        models: further base models.
        student: the strong model before training.
        head: what sits on it.
        length_normalise: how it compares options.
        variants: wordings per question.
        estimator: the arm's model of annotators.
        training: the recipe's `train`.
        doors: the steps.
        notes: takes what the method notes.
    """

    __slots__ = ("_notes", *(f"_{each.name}" for each in fields(Doors)), "estimator", "head", "known",
                 "length_normalise", "models", "pool", "seed", "student", "supervisor_train", "supervisors", "training",
                 "validation", "variants")  # fmt: skip

    def __init__(
        self,
        *,
        seed: int,
        splits: Mapping[str, pa.Table],
        supervisors: tuple[Source, ...],
        models: tuple[Source, ...],
        student: Source,
        head: Literal["lm", "classifier", "reward"],
        length_normalise: Literal["tokens", "bytes"] | None,
        variants: int,
        estimator: str | None,
        training: Mapping[str, Any],
        doors: Doors,
        notes: list[str],
    ) -> None:
        self.seed, self.variants, self.head, self.length_normalise = seed, variants, head, length_normalise
        self.pool, self.validation = splits["pool"], splits["validation"]
        self.known, self.supervisor_train = splits["known"], splits["supervisor_train"]
        self.supervisors, self.models, self.student = supervisors, models, student
        self.estimator, self.training = estimator, training
        self._ask, self._tokens, self._train, self._pretrain = doors.ask, doors.tokens, doors.train, doors.pretrain
        self._derive = doors.derive
        self._contrast, self._best_of, self._joint = doors.contrast, doors.best_of, doors.joint
        self._prompt, self._score = doors.prompt, doors.score
        self._activations, self._do, self._known_gold = doors.activations, doors.do, doors.known_gold
        self._in_form_of, self._gold = doors.in_form_of, doors.gold
        self._notes = notes

    def ask(
        self, source: Source, questions: pa.Table, how: How | None = None, *, variants: int | None = None
    ) -> pa.Table:
        """See `core.lab.Lab.ask`."""
        return self._ask(source, questions, how, variants)

    def tokens(self, source: Source, questions: pa.Table, how: How) -> pa.Table:
        """See `core.lab.Lab.tokens`."""
        return self._tokens(source, questions, how)

    def train(
        self,
        start: Source,
        rows: pa.Table,
        objective: Any = None,
        *,
        weights: Literal["mean_one", "raw"] = "mean_one",
        stage: str = "",
        select: Select = None,
        settings: Mapping[str, Any] = MappingProxyType({}),
        reference: Source | None = None,
        only: Literal["all", "head"] = "all",
        draw: int = 0,
        head: Literal["lm", "classifier", "reward"] | None = None,
    ) -> Student:
        """See `core.lab.Lab.train`."""
        return self._train(
            start, rows, objective, weights=weights, stage=stage, select=select, settings=settings,
            reference=reference, only=only, draw=draw, head=head,
        )  # fmt: skip

    def pretrain(
        self, start: Source, questions: pa.Table, *, stage: str = "", settings: Mapping[str, Any] = MappingProxyType({})
    ) -> Student:
        """See `core.lab.Lab.pretrain`."""
        return self._pretrain(start, questions, stage=stage, settings=settings)

    def derive(self, start: Source, rows: pa.Table, probe: Probe, *, stage: str = "") -> Student:
        """See `core.lab.Lab.derive`."""
        return self._derive(start, rows, probe, stage=stage)

    def contrast(
        self, plus: Source, minus: Source, *, base: Source | None = None, alpha: float = 1.0, stage: str = ""
    ) -> Student:
        """See `core.lab.Lab.contrast`."""
        return self._contrast(plus, minus, base=base, alpha=alpha, stage=stage)

    def best_of(
        self, writer: Source, judge: Source, *, samples: int = 8, temperature: float = 1.0, stage: str = ""
    ) -> Student:
        """See `core.lab.Lab.best_of`."""
        return self._best_of(writer, judge, samples=samples, temperature=temperature, stage=stage)

    def joint(
        self, sources: Sequence[Source], *, weights: Sequence[float | int] | None = None, beams: int = 1,
        stage: str = "",
    ) -> Student:  # fmt: skip
        """See `core.lab.Lab.joint`."""
        return self._joint(sources, weights=weights, beams=beams, stage=stage)

    def prompt(self, start: Source, rows: pa.Table, *, stage: str = "") -> Student:
        """See `core.lab.Lab.prompt`."""
        return self._prompt(start, rows, stage=stage)

    def score(self, source: Source, prompts: Sequence[str], targets: Sequence[str]) -> pa.Table:
        """See `core.lab.Lab.score`."""
        return self._score(source, prompts, targets)

    def activations(self, source: Source, questions: pa.Table, layers: Sequence[int], *, pool: str = "last") -> Any:
        """See `core.lab.Lab.activations`."""
        return self._activations(source, questions, layers, pool)

    def do(self, step: Any) -> Any:
        """See `core.lab.Lab.do`."""
        return self._do(step)

    def note(self, text: str) -> None:
        """Something a reader of the results should know about this arm."""
        self._notes.append(text)

    def known_gold(self, objective: str | None = None) -> pa.Table:
        """Gold labels of `known`, which the report charges to the arm."""
        return self._known_gold(objective)

    def in_form_of(self, gold: pa.Table, answers: pa.Table) -> pa.Table:
        """`answers` with gold's own form where the task judges a value equal to it (`1+x` where gold is `x+1`)."""
        return self._in_form_of(gold, answers)

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


def check_sealed(name: str, rows: pa.Table, *, sealed: bool) -> None:
    """Refuse rows or pairs in which gold had a part.

    Args:
        name: of the arm, for the message.
        rows: training rows or pairs.
        sealed: the arm may train on gold.

    Raises:
        SealedError: it may not, and a source is "gold".
    """
    sources = ("chosen_source", "rejected_source", "judge") if of_pairs(rows) else ("source",)
    if not sealed and any("gold" in rows[name].to_pylist() for name in sources):
        raise SealedError(
            f"training rows of '{name}' have the source 'gold', which is kept for gold labels; "
            "declare the method uses_gold=True, or name the source of its labels otherwise"
        )


def public(examples: pa.Table, keys: tuple[str, ...]) -> pa.Table:
    """Examples whose `meta` holds only the public keys (null where none is left)."""
    shown = []
    for meta in examples["meta"].to_pylist():
        kept = {k: v for k, v in json.loads(meta).items() if k in keys} if meta else {}
        shown.append(json.dumps(kept, sort_keys=True) if kept else None)
    place = examples.column_names.index("meta")
    return examples.set_column(place, examples.schema.field("meta"), pa.array(shown, pa.string()))


def identity_answers(answers: pa.Table) -> pa.Table:
    """The answers to the identity wording, first sample."""
    return answers.filter(pc.and_(pc.equal(answers["variant"], 0), pc.equal(answers["sample"], 0)))


def first_variants(answers: pa.Table, variants: int) -> pa.Table:
    """The answers to the first wordings; of the identity alone, the first sample."""
    chosen = answers.filter(pc.less(answers["variant"], variants))
    return chosen.filter(pc.equal(chosen["sample"], 0)) if variants == 1 else chosen


def identity_values(answers: pa.Table) -> dict[str, str]:
    """Question to the valid answer to its identity wording."""
    first = identity_answers(answers)
    pairs = zip(first["example_id"].to_pylist(), first["value"].to_pylist(), strict=True)
    return {i: v for i, v in pairs if v is not None}


def one_value_each(answers: pa.Table, seed: int) -> dict[str, str]:
    """Question to its answer: of one source `identity_values`, of several annotators the label by a model of them."""
    if not of_several(answers):
        return identity_values(answers)
    return gold_values(label_answers(answers, seed=seed).filter(pc.field("value").is_valid()))


def gold_values(gold: pa.Table) -> dict[str, str]:
    """Question to its gold value."""
    return dict(zip(gold["example_id"].to_pylist(), gold["value"].to_pylist(), strict=True))

"""One arm under way: the steps that its method asks a lab for, and what the method did with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import ConfigError, SealedError
from outgrow.core.hashing import seed_of
from outgrow.core.lab import How, Near, Probe, Select, Source, Student
from outgrow.experiment.cells import Cell, models_of
from outgrow.experiment.composing import Compose
from outgrow.experiment.lab import Doors, MethodLab, first_variants, gold_values, one_value_each, sealed
from outgrow.experiment.readings import HiddenStates, Score
from outgrow.experiment.sources import BestHandle, Composed, ContrastHandle, JointHandle
from outgrow.experiment.step_runner import StepRunner
from outgrow.experiment.steps import Lookup, Maker, StepRequest
from outgrow.methods import METHODS
from outgrow.methods.rows import gold_rows
from outgrow.recipe.parts import Arm
from outgrow.recipe.recipe import Recipe
from outgrow.reliability.hashing import hash_order
from outgrow.tasks.equivalence import in_form_of
from outgrow.training.config import TrainConfig
from outgrow.training.render import without_option_texts
from outgrow.training.schedule import total_steps

ASKED = ("pool", "validation", "test", "known")
"""Splits whose questions are put to supervisors; all but those of `validation` in every wording."""


SEEN = ("pool", "validation", "known", "supervisor_train")
"""Splits whose questions a method sees."""


KEPT: dict[bool | str, tuple[str, ...]] = {
    False: (), True: ("validation", "test"), "validation": ("validation",),
}  # fmt: skip
"""Splits whose questions checkpoints answer for the results (`recipe.parts.Evaluation.checkpoints`)."""


@dataclass(frozen=True)
class Stage:
    """One training of an arm.

    Attributes:
        name: of the stage; empty where a method trains once.
        student: the result.
        asked: answers that the method had asked for by then.
    """

    name: str
    student: Student
    asked: int


def student_start(runner: StepRunner, place: int, name: str) -> Source:
    """What arms begin with: a student as it comes, or as the recipe's `sft` leaves it, the same for every seed."""
    assert isinstance(runner.recipe, Recipe)
    base = runner.sources.base(runner.recipe.students[place], name)
    sft = runner.recipe.sft
    if sft is None:
        return base.source
    gold = runner.gold("supervisor_train")
    if sft.questions is not None:
        gold = gold.take(np.sort(hash_order(["sft"], gold["example_id"].to_pylist())[: sft.questions]))
    rows = gold_rows(gold)
    tuned = runner.train(
        base, rows, name=name, examples=runner.examples("supervisor_train"), config=sft.training, seed=0,
        steps=total_steps(rows.num_rows, sft.training), sealed=True, once=True,
    )  # fmt: skip
    return Source(name, tuned.key)


class ArmSteps:
    """The steps of one arm as its lab offers them, and what the method did with them."""

    def __init__(
        self, runner: StepRunner, arm: Arm, uses_gold: bool, seed: int, cell: Cell, supervisors: tuple[Source, ...]
    ) -> None:
        self.runner, self.name, self.uses_gold, self.seed = runner, arm.id, uses_gold, seed
        self.objective = METHODS[arm.name].objective if arm.objective is None else arm.objective.build()
        self.cell, self.supervisors, self.estimator = cell, supervisors, arm.estimator
        assert isinstance(runner.recipe, Recipe)
        self.recipe: Recipe = runner.recipe
        self.splits = {split: runner.public(split) for split in SEEN}
        self.where = runner.split_of(SEEN)
        self.opaque = runner.opaque(SEEN)
        self.notes: list[str] = []
        self.bought: set[str] = set()
        self.stages: list[Stage] = []
        self._asked: dict[tuple[str, str, Any], int] = {}

    def lab(self) -> MethodLab:
        """What the method gets."""
        recipe, sources = self.recipe, self.runner.sources
        doors = Doors(
            self._door(self._ask), self._door(self._tokens), self._door(self._train), self._door(self._pretrain),
            self._door(self._derive), self._door(self._contrast), self._door(self._best_of), self._door(self._joint),
            self._door(self._prompt), _plain(self._score),
            self._door(self._activations),
            _plain(self._do), self._door(self._known_gold), self._door(self._in_form_of),
            self._door(self._gold) if self.uses_gold else sealed(self.name),
        )  # fmt: skip
        models = [(recipe.models[i], recipe.model_names[i]) for i in models_of(recipe, self.cell)]
        return MethodLab(
            seed=self.seed, splits={split: self.opaque.hide(table, self.seed) for split, table in self.splits.items()},
            supervisors=self.supervisors,
            models=tuple(sources.base(ref, name).source for ref, name in models),
            student=student_start(self.runner, self.cell.student, "student"),
            head=recipe.students[self.cell.student].head,
            length_normalise=recipe.students[self.cell.student].length_normalise, variants=recipe.ask.variants,
            estimator=self.estimator, training=MappingProxyType(recipe.train.model_dump()), doors=doors,
            notes=self.notes,
        )  # fmt: skip

    def _door(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function for tables with opaque ids: those given are put under the questions' own, the result is not."""
        opaque, seed = self.opaque, self.seed

        def shown(given: Any) -> Any:
            return opaque.show(given) if isinstance(given, pa.Table) else given

        def call(*args: Any, **kwargs: Any) -> Any:
            found = function(*map(shown, args), **{name: shown(each) for name, each in kwargs.items()})
            return opaque.hide(found, seed) if isinstance(found, pa.Table) else found

        return call

    def asked(self) -> int:
        """Answers to `pool` and `known` that the method used."""
        return sum(n for (_, split, _), n in self._asked.items() if split in ("pool", "known"))

    def _split_of(self, questions: pa.Table, allowed: tuple[str, ...] = ("pool", "validation", "known")) -> str:
        names = {self.where.get(i, "elsewhere") for i in questions["example_id"].to_pylist()}
        if len(names) != 1 or not names.issubset(allowed):
            takes = ", ".join(f"lab.{name}" for name in allowed)
            raise ConfigError(
                f"this takes questions of {takes}: of one of them at a time and at least one; found "
                f"{questions.num_rows} of {', '.join(sorted(names)) or 'none'}"
            )
        return names.pop()

    def _chosen(self, questions: pa.Table) -> tuple[str, pa.Table]:
        """The split of a method's questions, and the questions with all that is known of them."""
        split = self._split_of(questions)
        whole, ids = self.runner.examples(split), questions["example_id"].combine_chunks()
        return split, whole.filter(pc.is_in(whole["example_id"], value_set=ids))

    def _tokens(self, source: Source, questions: pa.Table, how: How) -> pa.Table:
        split, chosen = self._chosen(questions)
        weak = source in self.supervisors
        return self.runner.answer_some(source, chosen, how, seed=self.seed, shown=weak, split=split, tokens=True)

    def _ask(self, source: Source, questions: pa.Table, how: How | None, variants: int | None) -> pa.Table:
        split, chosen = self._chosen(questions)
        weak, ids = source in self.supervisors, chosen["example_id"].combine_chunks()
        if how is not None:
            answers = self.runner.answer_some(source, chosen, how, seed=self.seed, shown=weak, split=split)
        elif (weak and split in ASKED) or len(ids) == self.splits[split].num_rows:
            # Supervisors are asked all of these anyway: a part of their questions costs nothing more.
            answers = self.runner.answer(source, split, seed=self.seed, full=split != "validation", shown=weak)
            if len(ids) < self.splits[split].num_rows:
                answers = answers.filter(pc.is_in(answers["example_id"], value_set=ids))
        else:
            answers = self.runner.answer_some(source, chosen, How(), seed=self.seed, shown=weak, split=split)
        if variants is not None:
            answers = first_variants(answers, variants)
        key = source.key, split, how
        self._asked[key] = max(self._asked.get(key, 0), answers.num_rows)
        return without_option_texts(answers, self.runner.with_options(split))

    def _train(
        self, start: Source, rows: pa.Table, objective: Any, *, weights: str, stage: str, select: Select,
        settings: Any, reference: Source | None, only: Any, draw: int, head: Any,
    ) -> Student:  # fmt: skip
        recipe, runner = self.recipe, self.runner
        config = TrainConfig(**{**recipe.train.model_dump(), **settings}) if settings else recipe.train
        steps = total_steps(self.splits["pool"].num_rows, config)
        objective = objective or self.objective
        if reference is None and getattr(objective, "needs_reference", False):
            reference = start
        begun = runner.sources.model(start)
        if head is not None and head != begun.ref.head:
            if begun.train is not None:
                raise ConfigError(f"'{start.name}' was trained already; another head is put on base models alone")
            begun = runner.sources.base(begun.ref.model_copy(update={"head": head}), start.name)
        student = runner.train(
            begun, rows, name=self.name, examples=self._about(rows), config=config,
            seed=seed_of("draw", self.seed, draw) if draw else self.seed, steps=steps, objective=objective,
            weights=weights, validation=self._validation(select), sealed=self.uses_gold, only=only,
            near=select if isinstance(select, Near) else None,
            kept={split: runner.examples(split) for split in KEPT[recipe.evaluation.checkpoints]} or None,
            reference=None if reference is None else runner.sources.model(reference),
        )  # fmt: skip
        self._staged(stage, student)
        return student

    def _staged(self, stage: str, student: Student) -> None:
        """Write a training down, and note where the arm takes more steps than others."""
        self.stages.append(Stage(stage, student, self.asked()))
        usual = total_steps(self.splits["pool"].num_rows, self.recipe.train)
        if (taken := sum(each.student.steps for each in self.stages)) > usual:
            self.notes[:] = [note for note in self.notes if not note.startswith("Takes ")]
            self.notes.append(
                f"Takes {taken} optimiser steps in {len(self.stages)} trainings where others take {usual}."
            )

    def _pretrain(self, start: Source, questions: pa.Table, *, stage: str, settings: Any) -> Student:
        split = self._split_of(questions)
        whole, ids = self.runner.examples(split), questions["example_id"].combine_chunks()
        config = TrainConfig(**{**self.recipe.train.model_dump(), **settings})
        student = self.runner.pretrain(
            self.runner.sources.model(start), whole.filter(pc.is_in(whole["example_id"], value_set=ids)),
            name=self.name, config=config, seed=self.seed,
        )  # fmt: skip
        self._staged(stage, student)
        return student

    def _about(self, rows: pa.Table) -> pa.Table:
        """The pool, and whatever other splits the rows are about as far as the method may train on them."""
        splits = {self.where.get(i) for i in rows["example_id"].to_pylist()}
        allowed = [split for split in self.splits if split != "supervisor_train" or self.uses_gold]
        names = [split for split in allowed if split in splits or split == "pool"]
        return pa.concat_tables([self.runner.examples(split) for split in names])

    def _derive(self, start: Source, rows: pa.Table, probe: Probe, *, stage: str) -> Student:
        examples, model = self._about(rows), self.runner.sources.model(start)
        student = self.runner.derive(model, rows, probe, name=self.name, examples=examples, sealed=self.uses_gold)
        self._staged(stage, student)
        return student

    def _contrast(self, plus: Source, minus: Source, *, base: Source | None, alpha: float, stage: str) -> Student:
        model = self.runner.sources.model
        parts = model(plus), model(minus), None if base is None else model(base)
        return self._composed(ContrastHandle(Source(self.name, ""), *parts, alpha), stage)

    def _best_of(self, writer: Source, judge: Source, *, samples: int, temperature: float, stage: str) -> Student:
        model = self.runner.sources.model
        if (head := model(judge).ref.head) != "reward":
            raise ConfigError(f"'{judge.name}' has head '{head}'; answers are judged by a model with head 'reward'")
        parts = model(writer), model(judge)
        return self._composed(BestHandle(Source(self.name, ""), *parts, samples, temperature, self.seed), stage)

    def _joint(
        self, sources: Sequence[Source], *, weights: Sequence[float | int] | None, beams: int, stage: str
    ) -> Student:
        members = tuple(self.runner.sources.model(each) for each in sources)
        given = [1.0] * len(members) if weights is None else [float(each) for each in weights]
        if len(members) < 2 or len(given) != len(members) or min(given) < 0 or sum(given) <= 0:
            raise ConfigError(
                f"a joint source needs at least two models and a weight of at least 0 for each, not all 0; found "
                f"{[each.source.name for each in members]} and {given}"
            )
        shares = tuple(each / sum(given) for each in given)
        return self._composed(JointHandle(Source(self.name, ""), members, shares, beams), stage)

    def _composed(self, handle: Composed, stage: str) -> Student:
        student = self.runner.steps.do(Compose(self.runner.sources, handle, self.name, self.uses_gold))
        self._staged(stage, student)
        return student

    def _prompt(self, start: Source, rows: pa.Table, *, stage: str) -> Student:
        examples, model = self._about(rows), self.runner.sources.model(start)
        student = self.runner.prompt(model, rows, name=self.name, examples=examples, sealed=self.uses_gold)
        self._staged(stage, student)
        return student

    def _validation(self, select: Select) -> dict[str, str] | None:
        if isinstance(select, pa.Table):
            self._split_of(select, ("validation",))
            return gold_values(select) or None
        if select == "last" or isinstance(select, Near):
            return None
        said = self.runner.answer(self.supervisors[0], "validation", seed=self.seed, full=False, shown=True)
        validation = one_value_each(said, self.seed) or None
        if select == "gold" and not self.uses_gold:
            sealed(self.name)(self.splits["validation"])
        if validation is None:
            note = "The supervisor answers no validation question, so every arm of this run keeps its last checkpoint."
            if note not in self.notes:
                self.notes.append(note)
            return None
        gold = self.uses_gold and select != "weak"
        return gold_values(self.runner.gold("validation")) if gold else validation

    def _score(self, source: Source, prompts: Any, targets: Any) -> pa.Table:
        return self.runner.steps.do(
            Score(self.runner.sources, self.runner.sources.model(source), tuple(prompts), tuple(targets))
        )

    def _activations(self, source: Source, questions: pa.Table, layers: Any, pool: str) -> Any:
        split = self._split_of(questions)
        whole = self.runner.examples(split)
        place = pc.index_in(questions["example_id"], value_set=whole["example_id"].combine_chunks()).to_numpy()
        asked, back = np.unique(place, return_inverse=True)  # in the order of the file: one step for all seeds
        handle = self.runner.sources.model(source)
        states = self.runner.steps.do(
            HiddenStates(self.runner.sources, handle, self.runner.task, whole.take(asked), tuple(layers), pool)
        )
        return states[back]

    def _do(self, step: StepRequest[Any]) -> Any:
        """A step of the method's own; one that names a sealed result is refused."""
        steps = self.runner.steps
        if isinstance(steps, Maker | Lookup) and not self.uses_gold:
            there = steps.store.get(step.step)
            if step.meta.get("sealed") or (there is not None and there.manifest["meta"].get("sealed")):
                raise SealedError(f"the method '{self.name}' asked for a step whose result holds gold labels")
        return steps.do(step)

    def _known_gold(self, objective: str | None) -> pa.Table:
        self.bought.update(self.splits["known"]["example_id"].to_pylist())
        return self.runner.gold("known", objective)

    def _in_form_of(self, gold: pa.Table, answers: pa.Table) -> pa.Table:
        if self.runner.steps.imagined:
            return answers
        return in_form_of(self.runner.plain_task, gold_values(gold), answers)

    def _gold(self, questions: pa.Table) -> pa.Table:
        gold = self.runner.gold(self._split_of(questions, ("pool", "validation", "supervisor_train")))
        return gold.filter(pc.is_in(gold["example_id"], value_set=questions["example_id"].combine_chunks()))


def _plain(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function without its object as an attribute, so that a lab's attributes lead nowhere."""

    def call(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return call

"""The jobs of an experiment and the steps each needs, under keys that are equal where the store would share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import pyarrow as pa

from outgrow.core.errors import ConfigError
from outgrow.core.hashing import sha256_text
from outgrow.experiment.dry import DryLab, planned_task, with_wordings
from outgrow.experiment.handle import content_hash, settings_of
from outgrow.experiment.jobs import ASKED
from outgrow.experiment.planning.counting import Counter, charged, checkpoints_of, tokenizer_of
from outgrow.experiment.planning.known_shapes import find_shape
from outgrow.experiment.planning.shapes import Shape
from outgrow.experiment.planning.work import PlannedJob, PlannedStep, PlannedWork
from outgrow.experiment.step_runner import FULLY_ASKED, PARAPHRASE_TEMPERATURE, SPARE_PARAPHRASES
from outgrow.methods import METHODS
from outgrow.methods.rows import gold_rows
from outgrow.models.config import ModelRef
from outgrow.recipe.recipe import Recipe
from outgrow.supervisors.asking import Asking
from outgrow.supervisors.config import FileSupervisor, LocalSupervisor, ServerSupervisor
from outgrow.supervisors.demonstrations import choose
from outgrow.supervisors.paraphrase import ParaphraseTask
from outgrow.tasks.base import Task
from outgrow.tasks.benchmarks import BenchmarkConfig
from outgrow.training.config import TrainConfig
from outgrow.training.render import render_rows
from outgrow.training.schedule import total_steps


@dataclass(frozen=True)
class Who:
    """Who answers: a key, whether it differs by seed, and what is known of it.

    Attributes:
        key: stands for the weights or the server.
        seeded: another seed is another model.
        name: what tables call it.
        ref: the model; None elsewhere.
        train: how the model was trained; None as it came.
        server: settings of a server.
        file: it is a file of answers.
    """

    key: str
    seeded: bool
    name: str
    ref: ModelRef | None = None
    train: TrainConfig | None = None
    server: ServerSupervisor | None = None
    file: bool = False


@dataclass
class Planner:
    """Works out the steps of a recipe; each kind of step is counted once.

    Attributes:
        recipe: the experiment.
        given: shapes given by hand.
        sample: questions of a split that are looked at.
        device: whose batches are planned, `cpu` or `cuda`.
        devices: that one job is spread over.
        notes: what a reader should know about the counts.
    """

    recipe: Recipe
    given: Mapping[str, Shape] = field(default_factory=dict)
    sample: int = 200
    device: str = "cpu"
    devices: int = 1
    notes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.plain: Task = planned_task(self.recipe)
        self.task = with_wordings(self.recipe, self.plain)
        if isinstance(self.recipe.task, BenchmarkConfig) and self.recipe.task.from_hub:
            self.notes.append(
                "The data set is fetched by a run only: made-up questions in the expected numbers stand for it, and "
                "real ones may be several times as long."
            )
        self._counters: dict[str, Counter] = {}
        self._tables: dict[str, pa.Table] = {}
        self._works: dict[str, PlannedWork] = {}
        self._typical: dict[str, int | None] = {}
        self._made: dict[Any, pa.Table] = {}

    def jobs(self) -> list[PlannedJob]:
        """All jobs in the order in which they would be begun."""
        seeds = self.recipe.seeds
        student = self._base(self.recipe.student, "student")
        first = [PlannedJob("student", "zero_shot", None, (*self._paraphrasing(), self._answer(student, "test")))]
        supervisors, asking = self._supervisors()
        first += [PlannedJob("supervisor", "supervisor", seed, tuple(asking)) for seed in seeds]
        arms = [(arm.id, tuple(self._arm(arm, supervisors, student, asking))) for arm in self.recipe.methods]
        return [*first, *(PlannedJob("arm", name, seed, steps) for seed in seeds for name, steps in arms)]

    # Models ---------------------------------------------------------------------------------------------------

    def shape(self, ref: ModelRef) -> Shape:
        """The shape of a model of the recipe."""
        return self._counter(ref).shape

    def models(self) -> list[ModelRef]:
        """Every model on this machine that the recipe uses, once."""
        asked = [*self.recipe.supervisors, self.recipe.ask.paraphraser, self.recipe.student]
        found = {_model_key(ref): ref for ref in asked if isinstance(ref, ModelRef)}
        return list(found.values())

    def _counter(self, ref: ModelRef) -> Counter:
        key = _model_key(ref)
        if key not in self._counters:
            shape = find_shape(ref, self.given)
            tokenizer, real = tokenizer_of(ref)
            if not real:
                self.notes.append(
                    f"The tokenizer of {ref.model} is not on this machine: a token for 4 bytes is assumed."
                )
            if ref.head == "classifier" and self.task.classes is None:
                raise ConfigError(
                    f"task '{self.task.name}' has no fixed classes, so head 'classifier' cannot answer it; use 'lm'"
                )
            self._counters[key] = Counter(ref, shape, tokenizer, self.task, self.sample, self.device, self.devices)
        return self._counters[key]

    def _base(self, ref: ModelRef, name: str) -> Who:
        return Who(_model_key(ref), False, name, ref)

    def _who(self, supervisor: Any) -> Who:
        if isinstance(supervisor, FileSupervisor):
            return Who(f"file {supervisor.path} {supervisor.source}", False, supervisor.name, file=True)
        if isinstance(supervisor, ServerSupervisor):
            return Who(sha256_text("server", supervisor.identity()), False, supervisor.name, server=supervisor)
        return self._base(supervisor, supervisor.name)

    # Steps ----------------------------------------------------------------------------------------------------

    def _examples(self, split: str) -> pa.Table:
        if split not in self._tables:
            self._tables[split] = self.plain.examples(split)
        return self._tables[split]

    def _supervisors(self) -> tuple[list[Who], list[PlannedStep]]:
        found, steps = [], []
        for supervisor in self.recipe.supervisors:
            who = self._who(supervisor)
            if isinstance(supervisor, LocalSupervisor) and supervisor.train is not None:
                rows = gold_rows(self.plain.gold("supervisor_train"))
                if not rows.num_rows:
                    raise ConfigError(
                        f"supervisor '{supervisor.name}' is tuned on the split supervisor_train, which has no "
                        "questions; give it some (task.splits), or take the supervisor as it is (train: null)"
                    )
                count = total_steps(rows.num_rows, supervisor.train)
                step = self._train(who, rows, supervisor.train, count, "supervisor_train", supervisor.name, None)
                steps.append(step)
                who = replace(who, key=step.key, seeded=True, train=supervisor.train)
            found.append(who)
        for who in found:
            for split in (s for s in ASKED if s in self.plain.splits):
                steps.append(self._answer(who, split, full=split != "validation", shown=True))
            if self.recipe.reliability.decoys and not any(s.kind == "file" for s in self.recipe.supervisors):
                steps.append(self._answer(who, "decoys", full=True, shown=True))
        return found, [step for step in steps if step.work.questions or step.work.steps]

    def _arm(self, arm: Any, supervisors: list[Who], student: Who, asking: list[PlannedStep]) -> list[PlannedStep]:
        spec = METHODS[arm.name]
        lab = DryLab(self.recipe, self.task, spec, seed=self.recipe.seeds[0], answers=self._made)
        spec.function(lab, arm.config)
        known = {source.key: who for source, who in zip(lab.supervisors, supervisors, strict=True)}
        known[lab.student.key] = student
        steps = list(asking)
        for source, questions, full in lab.asked:
            if source.name not in [who.name for who in supervisors] and (who := known.get(source.key)) is not None:
                split = "pool" if questions.num_rows == self._examples("pool").num_rows else "validation"
                steps.append(self._answer(who, split, full=full))
        config = self.recipe.train
        for trained in lab.trained:
            start = known.get(trained.start.key, student)
            secret = "gold" if spec.uses_gold else None
            step = self._train(start, trained.rows, config, trained.steps, "pool", arm.id, trained.objective, secret)
            checks = self._answer(replace(student, key=step.key), "validation").work
            step = replace(step, work=step.work.and_asked(checks, step.work.checkpoints))
            who = Who(step.key, True, arm.id, start.ref, config)
            known[sha256_text("dry", spec.name, self.recipe.seeds[0])] = who
            steps += [step, self._answer(who, "test")]
        return steps

    def _answer(self, who: Who, split: str, *, full: bool = False, shown: bool = False) -> PlannedStep:
        ask = self.recipe.ask
        asking = Asking(
            min(ask.variants, self.task.n_variants) if full else 1, ask.samples if full else 1,
            ask.temperature if full else 0.0, 0, ask.decoding,
        )  # fmt: skip
        if ask.demonstrations and shown and not who.file:
            asking = asking.shown(choose(self.plain, ask.demonstrations, self.recipe.seeds[0]))
        drawn = asking.samples > 1 or asking.temperature > 0 or bool(asking.turns)
        settings = repr(asking.settings())
        work = self._once(f"{who.key if who.ref is None else _model_key(who.ref)} {split} {settings}", lambda: (
            self._asked(who, split, asking, self.task)
        ))  # fmt: skip
        key = sha256_text(who.key, split, settings)
        return PlannedStep(key, who.seeded or drawn, "answer", who.name, split, work, who.ref, who.train, who.server)

    def _asked(self, who: Who, split: str, asking: Asking, task: Task) -> PlannedWork:
        if split == "decoys":
            from outgrow.reliability import with_decoys

            examples = with_decoys(self._examples("pool").slice(0, self.recipe.reliability.decoys)).examples
        else:
            examples = self._examples(split)
        if who.file:
            return PlannedWork(questions=examples.num_rows, answers=examples.num_rows * asking.variants)
        if who.server is not None:
            options = asking.decoding == "options"
            return charged(
                task, examples, asking, self.sample, self._usual(self._counter(self.recipe.student)), options
            )
        assert who.ref is not None
        counter = self._counter(who.ref)
        return counter.asked(examples, asking, self._usual(counter), task)

    def _usual(self, counter: Counter) -> int | None:
        key = _model_key(counter.ref)
        if key not in self._typical:
            self._typical[key] = counter.typical_answer()
        return self._typical[key]

    def _train(
        self, start: Who, rows: pa.Table, config: TrainConfig, steps: int, split: str, name: str, objective: Any,
        secret: str | None = None,
    ) -> PlannedStep:  # fmt: skip
        assert start.ref is not None
        ref = start.ref
        key = sha256_text(
            "train", start.key, content_hash(rows), config.model_dump(mode="json"), repr(objective), secret
        )
        task = self.plain if split == "supervisor_train" else self.task
        counter = self._counter(ref)

        def count() -> PlannedWork:
            worded = render_rows(task, rows, self._examples(split))
            found = counter.trained(worded, config, steps)
            return replace(found, checkpoints=0 if split == "supervisor_train" else checkpoints_of(steps, config))

        return PlannedStep(key, True, "train", name, "", self._once(key, count), ref, config)

    def _paraphrasing(self) -> list[PlannedStep]:
        ask = self.recipe.ask
        if "paraphrase" not in ask.kinds:
            return []
        by = self.recipe.supervisors[0] if ask.paraphraser == "supervisor" else ask.paraphraser
        who, task = self._who(by), ParaphraseTask(self.plain)
        wanted = (ask.variants - 1 + len(ask.kinds) - 1 - ask.kinds.index("paraphrase")) // len(ask.kinds)
        asking = Asking(1, wanted + SPARE_PARAPHRASES, PARAPHRASE_TEMPERATURE, 0, "generate")
        steps = []
        for split in (s for s in FULLY_ASKED if s in self.plain.splits and self._examples(s).num_rows):
            work = self._once(f"{who.key} paraphrases {split}", lambda split=split: (  # type: ignore[misc]
                self._asked(who, split, asking, task)
            ))  # fmt: skip
            key = f"{who.key} paraphrases {split}"
            steps.append(
                PlannedStep(key, False, "answer", who.name, f"{split} paraphrased", work, who.ref, None, who.server)
            )
        return steps

    def _once(self, key: str, make: Callable[[], PlannedWork]) -> PlannedWork:
        if key not in self._works:
            self._works[key] = make()
        return self._works[key]


def _model_key(ref: ModelRef) -> str:
    return sha256_text(ref.model, ref.revision, settings_of(ref))

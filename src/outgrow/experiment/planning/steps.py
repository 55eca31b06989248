"""The jobs of an experiment and the work of their steps, under keys that are equal where the store would share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from outgrow.core.hashing import sha256_text
from outgrow.experiment.dry import count_jobs, name_of
from outgrow.experiment.planning.counting import Counter, charged, checkpoints_of, tokenizer_of
from outgrow.experiment.sketch import planned_task
from outgrow.experiment.sources import settings_of
from outgrow.experiment.steps import Counted
from outgrow.experiment.work import PlannedJob, PlannedStep, PlannedWork
from outgrow.models.config import ModelRef
from outgrow.models.known_shapes import find_shape
from outgrow.models.shapes import Shape
from outgrow.recipe.recipe import Recipe
from outgrow.supervisors.asking import Asking
from outgrow.tasks.base import Task
from outgrow.tasks.benchmarks import BenchmarkConfig


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
        if isinstance(self.recipe.task, BenchmarkConfig) and self.recipe.task.from_hub:
            self.notes.append(
                "The data set is fetched by a run only: made-up questions in the expected numbers stand for it, and "
                "real ones may be several times as long."
            )
        self._counters: dict[str, Counter] = {}
        self._works: dict[str, PlannedWork] = {}
        self._typical: dict[str, int | None] = {}

    def jobs(self) -> list[PlannedJob]:
        """All jobs in the order in which they would be begun, with the steps they ask for."""
        return [
            PlannedJob(job.stage, name_of(self.recipe, job.job), job.job.seed, tuple(map(self._planned, job.steps)))
            for job in count_jobs(self.recipe, self.plain)
        ]

    def _planned(self, counted: Counted) -> PlannedStep:
        request = counted.request
        key = request.step.key
        work = self._once(key, lambda: request.planned(self))
        return PlannedStep(
            key, counted.seeded, request.step.name, request.what, request.about, work, request.model, request.train,
            request.server,
        )  # fmt: skip

    # Models ---------------------------------------------------------------------------------------------------

    def shape(self, ref: ModelRef) -> Shape:
        """The shape of a model of the recipe."""
        return self._counter(ref).shape

    def models(self) -> list[ModelRef]:
        """Every model on this machine that the recipe uses, once."""
        recipe = self.recipe
        asked = [*recipe.supervisors, recipe.ask.paraphraser, *recipe.students, *recipe.models]
        return list({_model_key(ref): ref for ref in asked if isinstance(ref, ModelRef)}.values())

    def _counter(self, ref: ModelRef) -> Counter:
        key = _model_key(ref)
        if key not in self._counters:
            shape = find_shape(ref, self.given)
            tokenizer, real = tokenizer_of(ref)
            if not real:
                self.notes.append(
                    f"The tokenizer of {ref.model} is not on this machine: a token for 4 bytes is assumed."
                )
            self._counters[key] = Counter(ref, shape, tokenizer, self.plain, self.sample, self.device, self.devices)
        return self._counters[key]

    # Work of steps --------------------------------------------------------------------------------------------

    def asked(self, request: Any) -> PlannedWork:
        """Of answering (`outgrow.experiment.answering.Answer`)."""
        asking: Asking = request.asking
        settings = {name: value for name, value in asking.settings().items() if name != "seed"}
        ids = sha256_text(request.examples["example_id"].to_pylist())
        if request.model is None:
            return self._once(f"{request.handle.source.key} {ids} {settings}", lambda: self._elsewhere(request))
        counter = self._counter(request.model)
        return self._once(
            f"{_model_key(request.model)} {request.about} {ids} {settings}",
            lambda: counter.asked(request.examples, asking, self._usual(counter), request.task),
        )

    def _elsewhere(self, request: Any) -> PlannedWork:
        examples, asking = request.examples, request.asking
        if request.server is None:
            return PlannedWork(questions=examples.num_rows, answers=examples.num_rows * asking.variants)
        student = getattr(self.recipe, "student", None)
        usual = None if student is None else self._usual(self._counter(student))
        return charged(request.task, examples, asking, self.sample, usual, asking.decoding == "options")

    def trained(self, request: Any) -> PlannedWork:
        """Of a training (`outgrow.experiment.fitting.Train`) and the asking of its checkpoints."""
        counter = self._counter(request.model)
        work = counter.trained(request.worded, request.config, request.steps)
        if request.checks is None:
            return work
        checkpoints = checkpoints_of(request.steps, request.config)
        asking = Asking(1, 1, 0.0, 0, request.decoding)
        checked = self._once(
            f"{_model_key(request.model)} checkpoints {asking.settings()}",
            lambda: counter.asked(request.checks, asking, self._usual(counter), request.task),
        )
        return replace(work, checkpoints=checkpoints).and_asked(checked, checkpoints)

    def _usual(self, counter: Counter) -> int | None:
        key = _model_key(counter.ref)
        if key not in self._typical:
            self._typical[key] = counter.typical_answer()
        return self._typical[key]

    def _once(self, key: str, make: Callable[[], PlannedWork]) -> PlannedWork:
        if key not in self._works:
            self._works[key] = make()
        return self._works[key]


def _model_key(ref: ModelRef) -> str:
    return sha256_text(ref.model, ref.revision, settings_of(ref))

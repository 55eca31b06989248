"""The jobs of an experiment and the work of their steps, under keys that are equal where the store would share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from outgrow.core.hashing import sha256_text
from outgrow.experiment.dry import CountedJob, count_jobs
from outgrow.experiment.planning.counting import Counter, charged, tokenizer_of
from outgrow.experiment.sketch import planned_task
from outgrow.experiment.sources import settings_of
from outgrow.experiment.steps import Counted
from outgrow.experiment.work import PlannedWork
from outgrow.models.config import Lora, ModelRef
from outgrow.models.known_shapes import find_shape
from outgrow.models.shapes import Shape
from outgrow.recipe.recipe import Recipe
from outgrow.supervisors.asking import Asking
from outgrow.tasks.base import Task
from outgrow.tasks.benchmarks import BenchmarkConfig
from outgrow.training.config import TrainConfig
from outgrow.training.schedule import checkpoint_steps


@dataclass(frozen=True)
class PlannedStep(Counted):
    """A step that was asked for, and what it computes."""

    work: PlannedWork

    @property
    def key(self) -> str:
        """Stands for everything that decides its result, the seed aside."""
        return self.request.step.key

    @property
    def kind(self) -> str:
        """`answer`, `train` or another."""
        return self.request.step.name

    @property
    def about(self) -> str:
        """The split, or nothing."""
        return self.request.about

    @property
    def training(self) -> TrainConfig | None:
        """Settings of the training that this is; None for any other step."""
        return self.request.train if self.kind == "train" else None

    @property
    def lora(self) -> Lora | None:
        """The adapter that is trained, or with which the model answers."""
        return None if self.request.train is None else self.request.train.lora


PlannedJob = CountedJob[PlannedStep]


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
            CountedJob(job.job, job.name, tuple(map(self._planned, job.steps)))
            for job in count_jobs(self.recipe, self.plain)
        ]

    def _planned(self, counted: Counted) -> PlannedStep:
        request = counted.request
        return PlannedStep(request, counted.seeded, self._once(request.step.key, lambda: request.planned(self)))

    def shape(self, ref: ModelRef) -> Shape:
        """The shape of a model of the recipe."""
        return self._counter(ref).shape

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

    def asked(self, request: Any) -> PlannedWork:
        """Of answering (`outgrow.experiment.answering.Answer`)."""
        settings = {name: value for name, value in request.asking.settings().items() if name != "seed"}
        ids = sha256_text(request.examples["example_id"].to_pylist())
        if request.model is None:
            return self._once(f"{request.handle.source.key} {ids} {settings}", lambda: self._elsewhere(request))
        counter = self._counter(request.model)
        return self._once(
            f"{_model_key(request.model)} {request.about} {ids} {settings}",
            lambda: counter.asked(request.examples, request.asking, self._usual(counter), request.task),
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
        checkpoints = len(checkpoint_steps(request.steps, request.config.checkpoints))
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

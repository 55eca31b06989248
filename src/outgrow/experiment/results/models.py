"""The models of a run: their names, hashes and sizes, for its provenance."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from outgrow.experiment.sources import ModelHandle, Sources, settings_of
from outgrow.experiment.step_runner import StepRunner
from outgrow.experiment.steps import StepRequest
from outgrow.models.config import ModelRef
from outgrow.models.files import model_hash
from outgrow.recipe.recipe import Recipe
from outgrow.store import Artefact, Step, Work
from outgrow.supervisors.config import LocalSupervisor

COUNT_VERSION = 1


def models_of(runner: StepRunner, recipe: Recipe) -> list[dict[str, Any]]:
    """`name`, `model`, `hash` and `parameters` of the students, further models and every supervisor that is here."""
    named: list[tuple[str, ModelRef]] = [*zip(recipe.student_names, recipe.students, strict=True)]
    named += [(own.name, own) for own in recipe.supervisors if isinstance(own, LocalSupervisor)]
    named += zip(recipe.model_names, recipe.models, strict=True)
    return [
        {
            "name": name,
            "model": ref.model,
            "hash": model_hash(ref),
            "parameters": runner.steps.do(CountParameters(runner.sources, runner.sources.base(ref, name))),
        }
        for name, ref in named
    ]


@dataclass(frozen=True, eq=False)
class CountParameters(StepRequest[int]):
    """How many parameters a base model has with its head; a step because the model is loaded for it."""

    sources: Sources
    handle: ModelHandle

    @property
    def what(self) -> str:
        """Which model."""
        return self.handle.source.name

    @cached_property
    def step(self) -> Step:
        """What identifies the number."""
        classes = self.sources.classes_of(self.handle.ref) or ()
        config = {"model": settings_of(self.handle.ref), "classes": list(classes)}
        return Step("count parameters", COUNT_VERSION, config, {"model": self.handle.source.key})

    def make(self, work: Work) -> None:
        """Load the model and count."""
        counted = sum(p.numel() for p in self.sources.load(self.handle).model.parameters())
        work.save_json({"parameters": counted}, "size.json")

    def read(self, artefact: Artefact) -> int:
        """The number."""
        return int(artefact.json("size.json")["parameters"])

    def sketch(self) -> int:
        """None."""
        return 0

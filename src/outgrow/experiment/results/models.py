"""The models of a run: their names, hashes and sizes, for its provenance."""

from __future__ import annotations

from typing import Any

from outgrow.experiment.handle import ModelHandle, settings_of
from outgrow.experiment.step_runner import StepRunner
from outgrow.models.files import model_hash
from outgrow.recipe.recipe import Recipe
from outgrow.store import Step, Work
from outgrow.supervisors.config import LocalSupervisor

COUNT_VERSION = 1


def models_of(runner: StepRunner, recipe: Recipe) -> list[dict[str, Any]]:
    """`name`, `model`, `hash` and `parameters` of the student and of every supervisor that is a model here."""
    here = [(own.name, own) for own in recipe.supervisors if isinstance(own, LocalSupervisor)]
    return [
        {
            "name": name,
            "model": ref.model,
            "hash": model_hash(ref),
            "parameters": parameters(runner, runner.start(ref, str(name))),
        }
        for name, ref in [("student", recipe.student), *here]
    ]


def parameters(runner: StepRunner, start: ModelHandle) -> int:
    """How many parameters a base model has with its head; kept in the store, because the model is loaded for it."""
    config = {"model": settings_of(start.ref), "classes": list(runner.classes_of(start.ref) or ())}
    step = Step("count parameters", COUNT_VERSION, config, {"model": start.source.key})

    def make(work: Work) -> None:
        counted = sum(p.numel() for p in runner.load(start).model.parameters())
        work.save_json({"parameters": counted}, "size.json")

    artefact = runner.store.make(step, make, meta={"detail": start.source.name})
    return int(artefact.json("size.json")["parameters"])

"""All supervisors of an experiment as one source that decides jointly: a floor of its own (arXiv 2406.03199)."""

from __future__ import annotations

from outgrow.core.lab import Source
from outgrow.experiment.composing import Compose
from outgrow.experiment.sources import JointHandle
from outgrow.experiment.step_runner import StepRunner
from outgrow.recipe.recipe import Recipe
from outgrow.supervisors.config import LocalSupervisor

TOGETHER = "supervisors together"
"""What the source is called."""


def obstacle(recipe: Recipe) -> str | None:
    """Why the supervisors cannot decide jointly, in words; None where they can."""
    supervisors = recipe.supervisors
    if recipe.grid != "together" or len(supervisors) == 1:
        return "no student has several supervisors"
    if elsewhere := [each.name for each in supervisors if not isinstance(each, LocalSupervisor)]:
        return f"joint decoding needs the weights of every supervisor; {', '.join(elsewhere)} answered elsewhere"
    if recipe.ask.decoding == "generate":
        return "ask.decoding: generate has supervisors write where joint decoding scores options; auto does not"
    return None


def together(runner: StepRunner, seed: int) -> Source:
    """The supervisors of one seed, which weigh the same.

    Args:
        runner: of a `Recipe` whose supervisors have no `obstacle`.
        seed: of their tuning.
    """
    places = range(len(runner.recipe.supervisors))
    members = tuple(runner.sources.model(runner.tune_supervisor(place, seed)) for place in places)
    handle = JointHandle(Source(TOGETHER, ""), members, (1 / len(members),) * len(members))
    return runner.steps.do(Compose(runner.sources, handle, TOGETHER, sealed=False))

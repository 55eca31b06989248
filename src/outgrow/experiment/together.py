"""All supervisors of an experiment as one source that decides jointly: a floor of its own (arXiv 2406.03199)."""

from __future__ import annotations

from collections.abc import Sequence

from outgrow.core.lab import Source
from outgrow.experiment.composing import Compose
from outgrow.experiment.sources import JointHandle
from outgrow.experiment.step_runner import StepRunner
from outgrow.recipe.recipe import Recipe
from outgrow.supervisors.config import LocalSupervisor

TOGETHER = "supervisors together"
"""What the source is called."""


def obstacle(recipe: Recipe, places: Sequence[int]) -> str | None:
    """Why the supervisors at these places cannot decide jointly, in words; None where they can."""
    supervisors = [recipe.supervisors[place] for place in places]
    if len(supervisors) == 1:
        return "the student has one supervisor"
    if elsewhere := [each.name for each in supervisors if not isinstance(each, LocalSupervisor)]:
        return f"joint decoding needs the weights of every supervisor; {', '.join(elsewhere)} answered elsewhere"
    if recipe.ask.decoding == "generate":
        return "ask.decoding: generate has supervisors write where joint decoding scores options; auto does not"
    return None


def together(runner: StepRunner, places: Sequence[int], seed: int) -> Source:
    """The supervisors of one seed, which weigh the same.

    Args:
        runner: of a `Recipe`.
        places: of the supervisors in it, between whom there is no `obstacle`.
        seed: of their tuning.
    """
    members = tuple(runner.sources.model(runner.tune_supervisor(place, seed)) for place in places)
    handle = JointHandle(Source(TOGETHER, ""), members, (1 / len(members),) * len(members))
    return runner.steps.do(Compose(runner.sources, handle, TOGETHER, sealed=False))

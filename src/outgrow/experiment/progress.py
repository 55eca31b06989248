"""How far a recipe has come on a store: every job's steps are looked up, none is made."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from outgrow.experiment.graph import Job, jobs_of, perform
from outgrow.experiment.question_tables import Questions
from outgrow.experiment.step_runner import StepRunner
from outgrow.experiment.steps import Lookup, NotMadeError
from outgrow.recipe.recipe import Recipe
from outgrow.store import Store


@dataclass(frozen=True)
class JobState:
    """A job, the steps of it that are in the store by kind, and the first that is not (None: the job is done)."""

    job: Job
    made: dict[str, int]
    missing: str | None


def states(recipe: Recipe, store: Store) -> list[JobState]:
    """The state of every job of a recipe.

    Args:
        recipe: what is run.
        store: opened unsealed, since supervisors' trainings hold gold.
    """
    questions = Questions(recipe.build_task())
    looked_up = []
    for job in jobs_of(recipe):
        lookup, missing = Lookup(store), None
        runner = StepRunner(recipe, lookup, questions=questions)
        try:
            perform(runner, job)
        except NotMadeError as error:
            missing = error.request.what
        made = Counter(step.name for step in {step.key: step for step in lookup.used}.values())
        looked_up.append(JobState(job, dict(made), missing))
    return looked_up

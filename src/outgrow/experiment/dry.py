"""A recipe without its costs: every job asks for its steps, results are made up, and the work is counted."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from outgrow.core.terminal import plain_table
from outgrow.experiment.graph import Job, jobs_of, perform
from outgrow.experiment.question_tables import Questions
from outgrow.experiment.sketch import planned_task
from outgrow.experiment.step_runner import StepRunner
from outgrow.experiment.steps import Counted, Counter, Size
from outgrow.recipe.recipe import Recipe
from outgrow.tasks.base import Task

STAGES = {"start": "student", "supervisors": "supervisor", "arms": "arm"}


AStep = TypeVar("AStep", bound=Counted)


@dataclass(frozen=True)
class CountedJob(Generic[AStep]):
    """A job and the steps it asks for, in order; the same step may be asked for by several jobs.

    Attributes:
        job: of the recipe.
        name: what tables call it.
        steps: those it asks for.
    """

    job: Job
    name: str
    steps: tuple[AStep, ...]

    @property
    def stage(self) -> str:
        """`student`, `supervisor` or `arm`."""
        return STAGES[self.job.stage]

    @property
    def seed(self) -> int | None:
        """Of the repetition; None for an untrained student."""
        return self.job.seed


def count_jobs(recipe: Recipe, task: Task | None = None) -> list[CountedJob[Counted]]:
    """Every job of a recipe with its steps; the first seed's are asked for, other seeds' are like them.

    Args:
        recipe: what would be run.
        task: its `planned_task`, where that is at hand.
    """
    counter = Counter()
    runner = StepRunner(recipe, counter, questions=Questions(task or planned_task(recipe)))
    alike: dict[tuple[str | None, int, bool, bool], tuple[Counted, ...]] = {}
    counted = []
    for job in jobs_of(recipe):
        kind = job.arm, job.place, job.seed is None, job.joint
        if kind not in alike:
            with counter.part() as steps:
                perform(runner, job)
            alike[kind] = tuple(steps)
        counted.append(CountedJob(job, _name(recipe, job), alike[kind]))
    return counted


def counted_steps(jobs: Iterable[CountedJob[AStep]]) -> list[tuple[CountedJob[AStep], list[AStep]]]:
    """Jobs with the steps that no earlier job has asked for."""
    asked: set[tuple[str, int | None]] = set()
    fresh = []
    for job in jobs:
        new: dict[tuple[str, int | None], AStep] = {}
        for step in job.steps:
            if (identity := step.identity(job.seed)) not in asked:
                new.setdefault(identity, step)
        asked.update(new)
        fresh.append((job, list(new.values())))
    return fresh


def _name(recipe: Recipe, job: Job) -> str:
    if job.seed is None:
        return job.name or "zero_shot"
    if job.arm is None:
        return job.name or str(recipe.supervisors[job.place].name)
    return f"{job.arm}, {job.name}" if job.name else job.arm


@dataclass(frozen=True)
class Planned:
    """The work of one job: `stage` and `name`, prompts that are answered, training rows, optimiser steps."""

    stage: str
    name: str
    prompts: int
    rows: int
    steps: int


def plan(recipe: Recipe, task: Task | None = None) -> list[Planned]:
    """What each job of the first seed would do.

    Args:
        recipe: what would be run.
        task: its `planned_task`, where that is at hand.
    """
    planned = []
    for job, steps in counted_steps(count_jobs(recipe, task)):
        if job.seed in (None, recipe.seeds[0]):
            sizes = [step.request.size() for step in steps]
            total = Size(*(sum(column) for column in zip(*sizes, strict=True))) if sizes else Size()
            planned.append(Planned(job.stage, job.name, *total))
    return planned


def dry_run(recipe: Recipe, task: Task | None = None) -> Any:
    """A table of the jobs of one seed and their sizes, for the terminal."""
    table = plain_table("stage", "name", "prompts answered", "training rows", "steps")
    table.caption = f"per seed; {len(recipe.seeds)} seeds, {len(jobs_of(recipe))} jobs in all"
    for column in table.columns[2:]:
        column.justify = "right"
    for job in plan(recipe, task):
        table.add_row(job.stage, job.name, f"{job.prompts:,}", f"{job.rows:,}", f"{job.steps:,}")
    return table

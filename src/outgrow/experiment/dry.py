"""A recipe without its costs: every job asks for its steps, results are made up, and the work is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from outgrow.experiment.graph import Job, jobs_of, perform
from outgrow.experiment.question_tables import Questions
from outgrow.experiment.sketch import planned_task
from outgrow.experiment.step_runner import StepRunner
from outgrow.experiment.steps import Counted, Counter, Size
from outgrow.experiment.work import fresh_steps
from outgrow.recipe.recipe import Recipe
from outgrow.tasks.base import Task

STAGES = {"start": "student", "supervisors": "supervisor", "arms": "arm"}


@dataclass(frozen=True)
class CountedJob:
    """A job and the steps it asks for, in order; the same step may be asked for by several jobs."""

    job: Job
    steps: tuple[Counted, ...]

    @property
    def stage(self) -> str:
        """`student`, `supervisor` or `arm`."""
        return STAGES[self.job.stage]


def count_jobs(recipe: Recipe, task: Task | None = None) -> list[CountedJob]:
    """Every job of a recipe with its steps; the first seed's are asked for, other seeds' are like them.

    Args:
        recipe: what would be run.
        task: its `planned_task`, where that is at hand.
    """
    counter = Counter()
    runner = StepRunner(recipe, counter, questions=Questions(task or planned_task(recipe)))
    counted: dict[Job, tuple[Counted, ...]] = {}
    jobs = list(jobs_of(recipe))
    for job in (job for job in jobs if job.seed in (None, recipe.seeds[0])):
        with counter.part() as steps:
            perform(runner, job)
        counted[job] = tuple(steps)
    alike = {(job.arm, job.place, job.seed is None): steps for job, steps in counted.items()}
    return [CountedJob(job, alike[job.arm, job.place, job.seed is None]) for job in jobs]


def counted_steps(jobs: list[CountedJob]) -> list[tuple[CountedJob, list[Counted]]]:
    """Jobs with the steps that no earlier job has asked for."""
    return fresh_steps((job, job.job.seed, job.steps) for job in jobs)


def name_of(recipe: Recipe, job: Job) -> str:
    """What tables of jobs call it."""
    if job.seed is None:
        return job.name or "zero_shot"
    if job.arm is None:
        return str(recipe.supervisors[job.place].name)
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
        if job.job.seed in (None, recipe.seeds[0]):
            sizes = [step.request.size() for step in steps]
            total = Size(*(sum(column) for column in zip(*sizes, strict=True))) if sizes else Size()
            planned.append(Planned(job.stage, name_of(recipe, job.job), *total))
    return planned


def dry_run(recipe: Recipe, task: Task | None = None) -> Any:
    """A table of the jobs of one seed and their sizes, for the terminal."""
    from rich.table import Table

    table = Table("stage", "name", "prompts answered", "training rows", "steps", box=None, pad_edge=False)
    table.caption = f"per seed; {len(recipe.seeds)} seeds, {len(jobs_of(recipe))} jobs in all"
    for column in table.columns[2:]:
        column.justify = "right"
    for job in plan(recipe, task):
        table.add_row(job.stage, job.name, f"{job.prompts:,}", f"{job.rows:,}", f"{job.steps:,}")
    return table

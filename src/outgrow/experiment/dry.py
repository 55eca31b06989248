"""A recipe without its costs: every method runs on fabricated answers of exact shape, and the work is counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from outgrow.core.hashing import sha256_text
from outgrow.core.lab import Source, Student
from outgrow.core.tables import (
    ANSWERS,
    GOLD,
    SPLITS,
    Example,
    build,
    iter_examples,
)
from outgrow.experiment.lab import Lab, identity_answers, public, sealed
from outgrow.methods import METHODS, MethodSpec
from outgrow.methods.rows import normalise_weights
from outgrow.recipe.recipe import Recipe
from outgrow.supervisors.config import FileSupervisor, LocalSupervisor
from outgrow.tasks.base import Task
from outgrow.tasks.benchmarks import BenchmarkConfig, BenchmarkTask
from outgrow.tasks.benchmarks.made_up import made_up_questions
from outgrow.tasks.variants import varied
from outgrow.training.schedule import total_steps


@dataclass(frozen=True)
class Planned:
    """The work of one job.

    Attributes:
        stage: `supervisor` or `arm`.
        name: of the supervisor or arm.
        prompts: prompts that are answered, wordings and samples counted.
        rows: training rows; 0 without training.
        steps: optimiser steps.
    """

    stage: str
    name: str
    prompts: int
    rows: int
    steps: int


@dataclass(frozen=True)
class Trained:
    """A training that a method asked for: the model it starts from, its rows, the loss and the steps."""

    start: Source
    rows: pa.Table
    objective: Any
    steps: int


class DryLab(Lab):
    """A lab whose answers and students are made up: exact ids, values, shapes and step counts, no model.

    Args:
        recipe: what would be run.
        task: the recipe's task.
        spec: the method the lab is for.
        seed: of the made-up answers.
        answers: answers made up before, for labs of the same recipe, task and seed to share.

    Attributes:
        rows: of the last training.
        steps: of the last training.
        trained: every training that was asked for.
        asked: whom the method asked what, and whether in all wordings.
    """

    __slots__ = ("answers", "asked", "rows", "steps", "trained")

    def __init__(
        self, recipe: Recipe, task: Task, spec: MethodSpec, *, seed: int, answers: dict[Any, pa.Table] | None = None
    ) -> None:
        self.rows, self.steps = 0, 0
        self.trained: list[Trained] = []
        self.asked: list[tuple[Source, pa.Table, bool]] = []
        self.answers = answers if answers is not None else {}
        supervisors = tuple(Source(s.name, sha256_text("dry", s.name, seed)) for s in recipe.supervisors)
        pool = public(task.examples("pool"), task.public_meta)

        def ask(source: Source, questions: pa.Table, variants: int | None) -> pa.Table:
            self.asked.append((source, questions, variants != 1))
            key = source.name, tuple(questions["example_id"].to_pylist())
            if key not in self.answers:
                self.answers[key] = made_up_answers(
                    task, questions, source.name, min(recipe.ask.variants, task.n_variants), recipe.ask.samples, seed
                )
            answers = self.answers[key]
            return identity_answers(answers) if variants == 1 else answers

        def train(start: Source, rows: pa.Table, objective: Any, weights: str) -> Student:
            settled = normalise_weights(rows, "raw" if weights == "raw" else "mean_one")
            self.rows, self.steps = settled.rows.num_rows, total_steps(pool.num_rows, recipe.train)
            questions = len(set(rows["example_id"].to_pylist()))
            self.trained.append(Trained(start, settled.rows, objective, self.steps))
            return Student(spec.name, sha256_text("dry", spec.name, seed), self.rows, questions, self.steps, self.steps)

        super().__init__(
            seed=seed,
            pool=pool,
            validation=public(task.examples("validation"), task.public_meta),
            known=public(task.examples("known"), task.public_meta),
            supervisors=supervisors,
            student=Source("student", sha256_text("dry", recipe.student.model)),
            variants=recipe.ask.variants,
            ask=ask,
            train=train,
            known_gold=lambda: made_up_gold(task, task.examples("known"), seed),
            in_form_of=lambda gold, said: said,
            gold=(lambda questions: made_up_gold(task, questions, seed)) if spec.uses_gold else sealed(spec.name),
            notes=[],
        )


def values_of(task: Task, example: Example) -> tuple[str, ...]:
    """Values an answer to the example may have; numbers where they are not listed."""
    return task.wording(example, 0).values or task.classes or tuple(str(n) for n in range(10))


def made_up_answers(task: Task, questions: pa.Table, source: str, variants: int, samples: int, seed: int) -> pa.Table:
    """Answers of exact shape, each a seeded draw that favours one value per question."""
    columns: dict[str, list[Any]] = {name: [] for name in ANSWERS.names}
    rng = np.random.default_rng(seed)
    for example in iter_examples(questions):
        values = values_of(task, example)
        share = rng.dirichlet(np.full(len(values), 0.5))
        for variant in range(variants):
            for sample in range(samples):
                value = values[int(rng.choice(len(values), p=share))]
                row = {
                    "example_id": example.example_id,
                    "source": source,
                    "variant": variant,
                    "sample": sample,
                    "value": value,
                    "logprob": float(np.log(share.max())),
                    "n_tokens": 2,
                    "probabilities": dict(zip(values, share.tolist(), strict=True)),
                    "finish_reason": "scored",
                }
                for name, column in columns.items():
                    column.append(row.get(name))
    return build(ANSWERS, columns)


def made_up_gold(task: Task, questions: pa.Table, seed: int) -> pa.Table:
    """A value per question; not the truth."""
    rng = np.random.default_rng([seed, 1])
    examples = list(iter_examples(questions))
    values = [values_of(task, example) for example in examples]
    return build(
        GOLD,
        {
            "example_id": [example.example_id for example in examples],
            "objective": ["truth"] * len(examples),
            "value": [v[int(rng.integers(len(v)))] for v in values],
        },
    )


def planned_task(recipe: Recipe) -> Task:
    """The recipe's task; where its set would have to be downloaded, made-up questions in the expected numbers."""
    if isinstance(recipe.task, BenchmarkConfig) and recipe.task.from_hub:
        return BenchmarkTask(recipe.task, loaded=made_up_questions(recipe.task))
    return recipe.build_task()


def plan(recipe: Recipe, task: Task | None = None) -> list[Planned]:
    """What each job of one seed would do; every method really runs, on made-up answers.

    Args:
        recipe: what would be run.
        task: its `planned_task`, where that is at hand.
    """
    task = with_wordings(recipe, task or planned_task(recipe))
    sizes = {split: task.examples(split).num_rows for split in SPLITS}
    wordings = min(recipe.ask.variants, task.n_variants) * recipe.ask.samples
    planned = [Planned("student", "zero_shot", sizes["test"], 0, 0)]
    for supervisor in recipe.supervisors:
        tuned = supervisor.train if isinstance(supervisor, LocalSupervisor) else None
        n = sizes["supervisor_train"] if tuned is not None else 0
        steps = total_steps(n, tuned) if tuned is not None else 0
        again = 0 if isinstance(supervisor, FileSupervisor) else decoy_questions(recipe, task)
        prompts = (sizes["pool"] + sizes["test"] + sizes["known"] + again) * wordings + sizes["validation"]
        planned.append(Planned("supervisor", supervisor.name, prompts, n, steps))
    answers: dict[Any, pa.Table] = {}
    for arm in recipe.methods:
        spec = METHODS[arm.name]
        lab = DryLab(recipe, task, spec, seed=recipe.seeds[0], answers=answers)
        spec.function(lab, arm.config)
        checks = recipe.train.checkpoints * sizes["validation"]
        planned.append(Planned("arm", arm.id, sizes["test"] + checks, lab.rows, lab.steps))
    return planned


def decoy_questions(recipe: Recipe, task: Task) -> int:
    """How many questions with a decoy are asked: one per option of each chosen pool question, at most."""
    pool = task.examples("pool").slice(0, recipe.reliability.decoys)
    return sum(len(choices or ()) for choices in pool["choices"].to_pylist())


def with_wordings(recipe: Recipe, task: Task) -> Task:
    """The task with the recipe's kinds of wordings; every paraphrase is the question itself."""

    def unchanged(count: int) -> dict[str, list[str]]:
        return {
            e.example_id: [e.question] * count for split in task.splits for e in iter_examples(task.examples(split))
        }

    return varied(task, recipe.ask, unchanged)


def dry_run(recipe: Recipe, task: Task | None = None) -> Any:
    """A table of the jobs of one seed and their sizes, for the terminal."""
    from rich.table import Table

    seeds = len(recipe.seeds)
    table = Table("stage", "name", "prompts answered", "training rows", "steps", box=None, pad_edge=False)
    table.caption = f"per seed; {seeds} seeds, {1 + seeds * (1 + len(recipe.methods))} jobs in all"
    for column in table.columns[2:]:
        column.justify = "right"
    for job in plan(recipe, task):
        table.add_row(job.stage, job.name, f"{job.prompts:,}", f"{job.rows:,}", f"{job.steps:,}")
    return table

"""A recipe carried out: supervisors, answers, methods x seeds, results.

Work is a graph of jobs: one per seed (tune the supervisors, ask them), then one per arm of that seed. What they share
goes through the store, so a run that was stopped goes on where it was. Here is what one job does, and a whole run from
outside; `outgrow.execution` has who carries many jobs out.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, replace
from typing import Any

from outgrow.core.errors import ConfigError
from outgrow.core.events import Event, Sink
from outgrow.core.lab import Source, Student
from outgrow.experiment.lab import Lab, public, sealed
from outgrow.models.machine import threads
from outgrow.recipe.recipe import Recipe
from outgrow.store import StepUse, Store

ASKED = ("pool", "validation", "test", "known")
"""Splits whose questions are put to supervisors; all but those of `validation` in every wording."""


@dataclass(frozen=True)
class Job:
    """One unit of work. `arm` is None for the supervisors of a seed; `seed` is None for the untrained student."""

    seed: int | None
    arm: str | None

    @property
    def label(self) -> str:
        """What progress calls it."""
        if self.seed is None:
            return "student before training"
        return f"seed {self.seed}: {self.arm or 'supervisor'}"

    @property
    def kind(self) -> str:
        """What it has in common with the same job of other seeds."""
        return self.arm or self.stage

    @property
    def stage(self) -> str:
        """`start`, `supervisors` or `arms`."""
        if self.seed is None:
            return "start"
        return "supervisors" if self.arm is None else "arms"


@dataclass(frozen=True)
class Done:
    """What a job found: keys and facts, no tables.

    Attributes:
        job: what was done.
        student: the trained student of an arm.
        asked: answers of supervisors that the arm used, those to `known` questions included.
        known: gold labels of `known` that the arm bought.
        notes: what a reader should know.
        log: steps used.
        usage: what servers charged for the answers that were used (`StepRunner.usage`).
        trained: name of an arm or a supervisor to the key of its training.
    """

    job: Job
    student: Student | None
    asked: int
    known: int
    notes: tuple[str, ...]
    log: tuple[StepUse, ...]
    usage: dict[str, dict[str, Any]] = field(default_factory=dict)
    trained: dict[str, str] = field(default_factory=dict)


def jobs_of(recipe: Recipe) -> dict[Job, tuple[Job, ...]]:
    """The jobs of a recipe, each with those it needs: an arm needs the supervisors of its own seed."""
    needs: dict[Job, tuple[Job, ...]] = {Job(None, None): ()}
    needs |= {Job(seed, None): () for seed in recipe.seeds}
    return needs | {Job(seed, arm.id): (Job(seed, None),) for seed in recipe.seeds for arm in recipe.methods}


def carry_out(recipe: Recipe, store: Store, job: Job, sink: Sink | None = None) -> Done:
    """Do one job; every result goes to the store, which was opened with `unsealed=True`.

    Raises:
        StepBusyError: another process is making a step of the job, and the store was opened not to wait.
    """
    from outgrow.experiment.question_tables import questions_of
    from outgrow.experiment.step_runner import StepRunner

    threads(recipe.threads)

    def report(what: str, done: int, total: int) -> None:
        if sink is not None:
            key = f"{os.getpid()}-{what}"
            sink(Event(key, f"{job.label}: {what}", done, total, closed=done >= total))

    runner = StepRunner(recipe, store, report, questions_of(recipe))
    if job.seed is None:
        runner.answer(runner.start(recipe.student, "zero_shot").source, "test", seed=0, full=False)
        return Done(job, None, 0, 0, (), tuple(store.log))
    supervisors = tuple(runner.tune_supervisor(i, job.seed) for i in range(len(recipe.supervisors)))
    if job.arm is None:
        for source in supervisors:
            for split in (name for name in ASKED if name in runner.task.splits):
                runner.answer(source, split, seed=job.seed, full=split != "validation", shown=True)
            if (decoys := decoys_of(runner, recipe)) is not None:
                runner.answer_decoys(source, decoys, seed=job.seed)
        tuned = {source.name: source.key for source in supervisors if isinstance(source, Student)}
        return Done(job, None, 0, 0, (), tuple(store.log), runner.usage, tuned)
    done = run_arm(runner, job, supervisors)
    assert done.student is not None
    runner.answer(done.student, "test", seed=0, full=False)
    return replace(done, log=tuple(store.log), trained={job.arm: done.student.key})


def decoys_of(runner: Any, recipe: Recipe) -> Any:
    """The recipe's decoy questions, the same for all seeds; None where it wants none, or a file would be asked.

    Raises:
        PrerequisiteError: no question shares its options with others.
    """
    from outgrow.reliability import with_decoys
    from outgrow.reliability.hashing import hash_order

    if not recipe.reliability.decoys or any(s.kind == "file" for s in recipe.supervisors):
        return None
    pool = runner.examples("pool")
    chosen = hash_order(["decoys"], pool["example_id"].to_pylist())[: recipe.reliability.decoys]
    return with_decoys(pool.take(sorted(chosen.tolist())))


def run_arm(runner: Any, job: Job, supervisors: tuple[Source, ...]) -> Done:
    """One method for one seed; its log is left empty."""
    from outgrow.experiment.step_runner import gold_values, identity_values
    from outgrow.methods import METHODS
    from outgrow.tasks.equivalence import in_form_of
    from outgrow.training.render import without_option_texts
    from outgrow.training.schedule import total_steps

    recipe: Recipe = runner.recipe
    assert job.seed is not None
    arm = next(a for a in recipe.methods if a.id == job.arm)
    spec = METHODS[arm.name]
    seed = job.seed
    splits = {name: public(runner.examples(name), runner.task.public_meta) for name in ("pool", "validation", "known")}
    pool = splits["pool"]
    notes: list[str] = []
    asked: dict[tuple[str, str], int] = {}
    bought: set[str] = set()

    def ask(source: Source, questions: Any, variants: int | None) -> Any:
        split = next((name for name, own in splits.items() if questions.equals(own)), None)
        if split is None:
            raise ConfigError("lab.ask takes lab.pool, lab.known or lab.validation; select from the answers afterwards")
        shown = source in supervisors
        everything = runner.answer(source, split, seed=seed, full=split != "validation", shown=shown)
        answers = everything if variants is None else _first_variants(everything, variants)
        asked[source.key, split] = max(asked.get((source.key, split), 0), answers.num_rows)
        return without_option_texts(runner.task, answers, questions)

    def known_gold() -> Any:
        bought.update(splits["known"]["example_id"].to_pylist())
        return runner.gold("known")

    said = runner.answer(supervisors[0], "validation", seed=seed, full=False, shown=True)
    validation = identity_values(said) or None
    if validation is None:
        notes.append(
            "The supervisor answers no validation question, so every arm of this run keeps its last checkpoint."
        )
    elif spec.uses_gold:
        validation = gold_values(runner.gold("validation"))

    def train(start: Source, rows: Any, objective: Any, weights: str) -> Student:
        steps = total_steps(pool.num_rows, recipe.train)
        trained: Student = runner.train(
            runner.model_of(start), rows, name=arm.id, split="pool", config=recipe.train, seed=seed, steps=steps,
            objective=objective, weights=weights, validation=validation, sealed=spec.uses_gold,
        )  # fmt: skip
        return trained

    def gold(questions: Any) -> Any:
        for split in ("pool", "validation"):
            if set(questions["example_id"].to_pylist()) <= set(runner.examples(split)["example_id"].to_pylist()):
                found = runner.gold(split)
                import pyarrow.compute as pc

                return found.filter(pc.is_in(found["example_id"], questions["example_id"].combine_chunks()))
        raise ConfigError("lab.gold takes questions of lab.pool or lab.validation")

    def in_form(gold: Any, said: Any) -> Any:
        return in_form_of(runner.plain_task, gold_values(gold), said)

    lab = Lab(
        seed=seed, pool=pool, validation=splits["validation"], known=splits["known"], supervisors=supervisors,
        student=runner.start(recipe.student, "student").source, variants=recipe.ask.variants,
        ask=ask, train=train, gold=gold if spec.uses_gold else sealed(spec.name), known_gold=known_gold,
        in_form_of=in_form, notes=notes,
    )  # fmt: skip
    student: Student = spec.function(lab, arm.config)
    count = sum(n for (_, split), n in asked.items() if split in ("pool", "known"))
    return Done(job, student, count, len(bought), tuple(notes), ())


def _first_variants(answers: Any, variants: int) -> Any:
    import pyarrow.compute as pc

    chosen = answers.filter(pc.less(answers["variant"], variants))
    return chosen.filter(pc.equal(chosen["sample"], 0)) if variants == 1 else chosen

"""A recipe carried out: supervisors, answers, methods x seeds, results.

Work is a list of jobs without order among those of one stage: first one per seed (tune the supervisor, ask it),
then one per arm and seed. Jobs run in processes of their own; what they share goes through the store, so a run that
was stopped goes on where it was.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from outgrow.errors import ConfigError, PrerequisiteError
from outgrow.lab import Lab, public, sealed
from outgrow.progress import Event, Progress, Sink
from outgrow.recipe import Recipe
from outgrow.records import Source, Student, sha256_text
from outgrow.store import StepUse, Store

# glibc gives large blocks back to the system at once and takes them anew; keeping them saves a third of the time.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296", "MALLOC_TOP_PAD_": "67108864"}


ASKED = ("pool", "validation", "test", "known")
"""Splits whose questions are put to supervisors; all but those of `validation` in every wording."""


@dataclass(frozen=True)
class RunResult:
    """Where a finished run is, and its results."""

    folder: Path
    results: dict[str, Any]


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
        usage: what servers charged for the answers that were used (`Bench.usage`).
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


def jobs_of(recipe: Recipe) -> tuple[list[Job], list[Job]]:
    """The two stages of a recipe."""
    first = [Job(None, None), *(Job(seed, None) for seed in recipe.seeds)]
    return first, [Job(seed, arm.id) for seed in recipe.seeds for arm in recipe.methods]


def carry_out(recipe: Recipe, store_path: str | Path, job: Job, sink: Sink | None = None) -> Done:
    """Do one job; every result goes to the store."""
    from outgrow.bench import Bench

    threads(recipe.threads)
    store = Store(store_path, unsealed=True)

    def report(what: str, done: int, total: int) -> None:
        if sink is not None:
            key = f"{os.getpid()}-{what}"
            sink(Event(key, f"{job.label}: {what}", done, total, closed=done >= total))

    bench = Bench(recipe, store, report)
    if job.seed is None:
        bench.answer(bench.start(recipe.student, "zero_shot").source, "test", seed=0, full=False)
        return Done(job, None, 0, 0, (), tuple(store.log))
    supervisors = tuple(bench.tune_supervisor(i, job.seed) for i in range(len(recipe.supervisors)))
    if job.arm is None:
        for source in supervisors:
            for split in (name for name in ASKED if name in bench.task.splits):
                bench.answer(source, split, seed=job.seed, full=split != "validation", shown=True)
            if (decoys := decoys_of(bench, recipe)) is not None:
                bench.answer_decoys(source, decoys, seed=job.seed)
        tuned = {source.name: source.key for source in supervisors if isinstance(source, Student)}
        return Done(job, None, 0, 0, (), tuple(store.log), bench.usage, tuned)
    done = run_arm(bench, job, supervisors)
    assert done.student is not None
    bench.answer(done.student, "test", seed=0, full=False)
    return replace(done, log=tuple(store.log), trained={job.arm: done.student.key})


def decoys_of(bench: Any, recipe: Recipe) -> Any:
    """The recipe's decoy questions, the same for all seeds; None where it wants none, or a file would be asked.

    Raises:
        PrerequisiteError: no question shares its options with others.
    """
    from outgrow.reliability import with_decoys
    from outgrow.reliability.hashing import hash_order

    if not recipe.reliability.decoys or any(s.kind == "file" for s in recipe.supervisors):
        return None
    pool = bench.examples("pool")
    chosen = hash_order(["decoys"], pool["example_id"].to_pylist())[: recipe.reliability.decoys]
    return with_decoys(pool.take(sorted(chosen.tolist())))


def run_arm(bench: Any, job: Job, supervisors: tuple[Source, ...]) -> Done:
    """One method for one seed; its log is left empty."""
    from outgrow.bench import gold_values, identity_values
    from outgrow.methods import METHODS
    from outgrow.tasks.sameness import in_form_of
    from outgrow.training.schedule import total_steps
    from outgrow.words import without_option_texts

    recipe: Recipe = bench.recipe
    assert job.seed is not None
    arm = next(a for a in recipe.methods if a.id == job.arm)
    spec = METHODS[arm.name]
    seed = job.seed
    splits = {name: public(bench.examples(name), bench.task.public_meta) for name in ("pool", "validation", "known")}
    pool = splits["pool"]
    notes: list[str] = []
    asked: dict[tuple[str, str], int] = {}
    bought: set[str] = set()

    def ask(source: Source, questions: Any, variants: int | None) -> Any:
        split = next((name for name, own in splits.items() if questions.equals(own)), None)
        if split is None:
            raise ConfigError("lab.ask takes lab.pool, lab.known or lab.validation; select from the answers afterwards")
        shown = source in supervisors
        everything = bench.answer(source, split, seed=seed, full=split != "validation", shown=shown)
        answers = everything if variants is None else _first_variants(everything, variants)
        asked[source.key, split] = max(asked.get((source.key, split), 0), answers.num_rows)
        return without_option_texts(bench.task, answers, questions)

    def known_gold() -> Any:
        bought.update(splits["known"]["example_id"].to_pylist())
        return bench.gold("known")

    said = bench.answer(supervisors[0], "validation", seed=seed, full=False, shown=True)
    validation = identity_values(said) or None
    if validation is None:
        notes.append(
            "The supervisor answers no validation question, so every arm of this run keeps its last checkpoint."
        )
    elif spec.uses_gold:
        validation = gold_values(bench.gold("validation"))

    def train(start: Source, rows: Any, objective: Any, weights: str) -> Student:
        steps = total_steps(pool.num_rows, recipe.train)
        trained: Student = bench.train(
            bench.model_of(start), rows, name=arm.id, split="pool", config=recipe.train, seed=seed, steps=steps,
            objective=objective, weights=weights, validation=validation, sealed=spec.uses_gold,
        )  # fmt: skip
        return trained

    def gold(questions: Any) -> Any:
        for split in ("pool", "validation"):
            if set(questions["example_id"].to_pylist()) <= set(bench.examples(split)["example_id"].to_pylist()):
                found = bench.gold(split)
                import pyarrow.compute as pc

                return found.filter(pc.is_in(found["example_id"], questions["example_id"].combine_chunks()))
        raise ConfigError("lab.gold takes questions of lab.pool or lab.validation")

    def in_form(gold: Any, said: Any) -> Any:
        return in_form_of(bench.plain_task, gold_values(gold), said)

    lab = Lab(
        seed=seed, pool=pool, validation=splits["validation"], known=splits["known"], supervisors=supervisors,
        student=bench.start(recipe.student, "student").source, variants=recipe.ask.variants,
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


def threads(count: int) -> None:
    """Use `count` threads in this process; part of what decides the numbers."""
    try:
        import torch
    except ImportError as error:
        raise PrerequisiteError(
            "running an experiment needs torch and transformers; install them with: pip install 'outgrow[train]'"
        ) from error
    if torch.get_num_threads() != count:
        torch.set_num_threads(count)


# Many jobs -------------------------------------------------------------------------------------------------------


def _in_worker(recipe: Recipe, store: str | Path, job: Job) -> Done:
    from outgrow.progress import to_queue

    return carry_out(recipe, store, job, to_queue(_queue) if _queue is not None else None)


_queue: Any = None


def _prepare(queue: Any) -> None:
    global _queue
    _queue = queue
    import threading
    import warnings

    warnings.simplefilter("default")
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End this process when the one that started it has been killed; it would wait for jobs for ever."""
    import multiprocessing

    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def run_jobs(
    recipe: Recipe, store: str | Path, stages: Sequence[Sequence[Job]], workers: int, progress: Progress
) -> list[Done]:
    """All jobs, stage after stage; the first failure stops what has not begun and is raised."""
    finished: list[Done] = []
    total = sum(len(stage) for stage in stages)

    def tick(done: Done) -> None:
        finished.append(done)
        progress(Event("jobs", "jobs", len(finished), total, closed=len(finished) == total))

    progress(Event("jobs", "jobs", 0, total))
    if workers == 1:
        for job in (job for stage in stages for job in stage):
            tick(carry_out(recipe, store, job, progress))
        return finished
    import multiprocessing

    context = multiprocessing.get_context("spawn")
    before = {name: os.environ.get(name) for name in (*MALLOC, "OMP_NUM_THREADS")}
    os.environ.update(
        {**{k: v for k, v in MALLOC.items() if k not in os.environ}, "OMP_NUM_THREADS": str(recipe.threads)}
    )
    queue = context.Queue()
    try:
        with (
            progress.listen(queue),
            ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare, initargs=(queue,)) as pool,
        ):
            for stage in stages:
                waiting = {pool.submit(_in_worker, recipe, store, job) for job in stage}
                while waiting:
                    ready, waiting = wait(waiting, return_when=FIRST_COMPLETED)
                    try:
                        for future in ready:
                            tick(future.result())
                    except BaseException:
                        for future in waiting:
                            future.cancel()
                        raise
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
    return finished


def run_recipe(
    recipe: Recipe,
    *,
    store: str | Path,
    out: Path | None = None,
    jobs: int | None = None,
    command: Iterable[str] = (),
) -> RunResult:
    """Carry a recipe out and write its folder: results, provenance, tables.

    Args:
        recipe: what to run.
        store: folder or URL of the artefacts; what is there already is not done again.
        out: the run's folder; `runs/<name>-<hash>` by default.
        jobs: processes at a time; one per core by default. Does not change the numbers.
        command: the command line, for the provenance.
    """
    from outgrow.results import collect, write_tables
    from outgrow.store.environment import environment

    started, clock = datetime.now(UTC), time.monotonic()
    threads(recipe.threads)
    workers = jobs or recipe.jobs or max(1, (os.cpu_count() or 1) // recipe.threads)
    stages = jobs_of(recipe)
    Store(store).prepare()
    folder = out or Path("runs") / f"{recipe.name}-{sha256_text(recipe.canonical_json())[:8]}"
    with Progress() as progress:
        done = run_jobs(recipe, store, stages, workers, progress)
    results, tables, models = collect(recipe, Store(store, unsealed=True), done)
    folder.mkdir(parents=True, exist_ok=True)
    write_tables(tables, folder)
    provenance = {
        "recipe_given": recipe.given,
        "recipe_path": recipe.path,
        "command": list(command),
        **provenance_of(environment()),
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - clock, 1),
        "steps": steps_of(done),
        "models": models,
        "trained": [
            {"name": name, "seed": item.job.seed, "key": key}
            for item in sorted(done, key=lambda d: d.job.label)
            for name, key in item.trained.items()
        ],
        "usage": [used for _, used in sorted({key: used for d in done for key, used in d.usage.items()}.items())],
        "jobs": workers,
    }
    write_json(provenance, folder / "provenance.json")
    write_json(results, folder / "results.json")  # last: its being there means the folder is complete
    return RunResult(folder, results)


def provenance_of(found: dict[str, Any]) -> dict[str, Any]:
    """The environment as the report shows it."""
    return {key: found.get(key) for key in ("versions", "python", "platform", "hardware", "git")}


def steps_of(done: Iterable[Done]) -> list[dict[str, Any]]:
    """Every step once, in the order of jobs."""
    steps: dict[str, dict[str, Any]] = {}
    for use in (use for item in sorted(done, key=lambda d: d.job.label) for use in item.log):
        if use.key not in steps or not use.cached:
            steps[use.key] = asdict(use)
    return list(steps.values())


def write_json(value: Any, path: Path) -> None:
    """JSON, whole or not at all."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(path)

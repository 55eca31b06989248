"""A whole run: check, jobs, results, and the folder that holds them."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from outgrow.errors import ConfigError
from outgrow.experiment import Done, RunResult, jobs_of
from outgrow.progress import Progress
from outgrow.recipe import Recipe
from outgrow.records import sha256_text
from outgrow.running import failures
from outgrow.running.files import write_json
from outgrow.running.graph import Graph
from outgrow.running.local import Here, Processes, cards, cores
from outgrow.running.outcome import Workers
from outgrow.running.overview import Overview
from outgrow.running.schedule import run_jobs
from outgrow.running.times import steps_of, times_of
from outgrow.store import Store
from outgrow.store.environment import environment
from outgrow.training.machine import threads
from outgrow.training.ranks import several


@dataclass(frozen=True)
class Gathered:
    """What a run comes to, from the store.

    Attributes:
        results: what becomes `results.json`.
        tables: file name to table.
        models: name, hash and size of each model.
        environment: of the place that computed it (`outgrow.store.environment`).
    """

    results: dict[str, Any]
    tables: dict[str, Any]
    models: list[Any]
    environment: dict[str, Any]


@runtime_checkable
class Place(Protocol):
    """Where a run happens: what has to see the store, the models and the recipe's files is done there.

    Attributes:
        jobs: jobs at a time; None where the place decides that itself.
    """

    jobs: int | None

    def check(self, recipe: Recipe, store: Any) -> None:
        """As `check`."""

    def workers(self, overview: Overview) -> Any:
        """A context with the `Workers`; leaving it ends them at once."""

    def gather(self, recipe: Recipe, store: Any, done: Sequence[Done]) -> Gathered:
        """As `gather`."""


def check(recipe: Recipe, store: Any) -> None:
    """Find what would make every job fail before any begins: no torch, a faulty data file, no place for the store."""
    from outgrow.question_tables import questions_of

    threads(recipe.threads)
    questions_of(recipe, anew=True)
    Store(store, unsealed=True).prepare()


def gather(recipe: Recipe, store: Any, done: Sequence[Done]) -> Gathered:
    """Results of a run whose jobs are done; a step that is missing or damaged by now is made again."""
    from outgrow.results import collect

    threads(recipe.threads)
    results, tables, models = collect(recipe, Store(store, unsealed=True), done)
    return Gathered(results, tables, models, environment())


class ThisMachine:
    """Jobs here, in this process if there is to be one at a time, else in processes of their own."""

    def __init__(self, recipe: Recipe, store: Any, jobs: int | None) -> None:
        threads(recipe.threads)
        self._recipe, self._store, self._cards = recipe, store, cards()
        wanted = jobs or recipe.jobs or len(self._cards) or max(1, cores() // recipe.threads)
        self.jobs: int = 1 if several() else wanted  # ranks of one launch work on one job together

    check = staticmethod(check)
    gather = staticmethod(gather)

    @contextmanager
    def workers(self, overview: Overview) -> Iterator[Workers]:
        """As `Place.workers`."""
        if self.jobs == 1:
            yield Here(self._recipe, self._store, overview.hear)
            return
        with Processes(self._recipe, self._store, self.jobs, self._cards) as processes:
            yield processes


@contextmanager
def place_of(on: str | None, recipe: Recipe, store: Any, jobs: int | None, gpus: int | float | None) -> Iterator[Any]:
    """The place that `--on` names."""
    if on is None or on == "local":
        if gpus is not None:
            raise ConfigError("gpus is for runs on Ray; here CUDA_VISIBLE_DEVICES says which cards may be used")
        yield ThisMachine(recipe, store, jobs)
    elif on == "ray" or on.startswith("ray://"):
        from outgrow.running.on_ray import Cluster

        if several():
            raise ConfigError(
                "torchrun or accelerate launch has started several ranks, which work on one job at a time; Ray spreads "
                "jobs over machines: start outgrow without a launcher, or leave --on out"
            )
        with Cluster(on, recipe, store, jobs, gpus) as cluster:
            yield cluster
    else:
        raise ConfigError(f"jobs cannot run on {on!r}; say local, ray, or ray://HOST:PORT")


def run(
    recipe: Recipe,
    *,
    store: Any,
    out: Path | None,
    jobs: int | None,
    command: Sequence[str],
    on: str | None,
    gpus: int | float | None,
    fail_fast: bool,
) -> RunResult:
    """As `outgrow.experiment.run_recipe`."""
    started, clock = datetime.now(UTC), time.monotonic()
    place_for_store = shared_place(store)
    folder = out or Path("runs") / f"{recipe.name}-{sha256_text(recipe.canonical_json())[:8]}"
    graph = Graph(jobs_of(recipe))
    with place_of(on, recipe, place_for_store, jobs, gpus) as place:
        place.check(recipe, place_for_store)
        with Progress() as progress:
            overview = Overview(graph, progress)
            with place.workers(overview) as workers:
                ended = run_jobs(graph, workers, overview, fail_fast=fail_fast)
        if graph.failures:
            raise failures.write(folder, graph)
        done = [found for found, _ in ended]
        gathered = place.gather(recipe, place_for_store, done)
    provenance = {
        "recipe_given": recipe.given,
        "recipe_path": recipe.path,
        "command": list(command),
        **provenance_of(gathered.environment),
        "started": started.isoformat(timespec="seconds"),
        "seconds": round(time.monotonic() - clock, 1),
        "steps": steps_of(done),
        "times": times_of(ended),
        "models": gathered.models,
        "trained": [
            {"name": name, "seed": item.job.seed, "key": key}
            for item in sorted(done, key=lambda d: d.job.label)
            for name, key in item.trained.items()
        ],
        "usage": [used for _, used in sorted({key: used for d in done for key, used in d.usage.items()}.items())],
        "jobs": place.jobs,
        "on": on or "local",
    }
    write_folder(folder, gathered, provenance)
    return RunResult(folder, gathered.results)


def shared_place(store: str | os.PathLike[str]) -> str:
    """The store's folder from the root on, so that it is the same for every worker; a URL as it is."""
    text = os.fspath(store)
    return text if "://" in text else str(Path(text).absolute())


def write_folder(folder: Path, gathered: Gathered, provenance: dict[str, Any]) -> None:
    """Write what `outgrow report` reads; results come last: their being there means that the folder is complete."""
    from outgrow.results import write_tables

    folder.mkdir(parents=True, exist_ok=True)
    failures.forget(folder)
    write_tables(gathered.tables, folder)
    write_json(provenance, folder / "provenance.json")
    write_json(gathered.results, folder / "results.json")


def provenance_of(found: dict[str, Any]) -> dict[str, Any]:
    """The environment as the report shows it."""
    return {key: found.get(key) for key in ("versions", "python", "platform", "hardware", "git")}

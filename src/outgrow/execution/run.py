"""A whole run: check, jobs, results, and the folder that holds them."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from outgrow.core.errors import ConfigError
from outgrow.core.files import make_folder, write_json
from outgrow.core.hashing import sha256_text
from outgrow.core.progress import Progress
from outgrow.execution import failures
from outgrow.execution.gather import Gathered, check, gather
from outgrow.execution.job_graph import Graph
from outgrow.execution.local import Here, Processes, cards, cores
from outgrow.execution.outcome import Workers
from outgrow.execution.overview import Overview
from outgrow.execution.schedule import run_jobs
from outgrow.execution.so_far import SoFar
from outgrow.execution.times import steps_of, times_of
from outgrow.experiment.graph import Done, jobs_of
from outgrow.models.machine import threads
from outgrow.models.ranks import led, several
from outgrow.recipe.recipe import Recipe


@dataclass(frozen=True)
class RunResult:
    """Where a finished run is, and its results."""

    folder: Path
    results: dict[str, Any]

    @property
    def only(self) -> dict[str, Any]:
        """The results of the only cell, beside what the run says of itself.

        Raises:
            ValueError: there are several cells.
        """
        (cell,) = self.results["cells"]
        return {**cell, **{name: value for name, value in self.results.items() if name != "cells"}}


@runtime_checkable
class Executor(Protocol):
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
        """As `Executor.workers`."""
        if self.jobs == 1:
            yield Here(self._recipe, self._store, overview.hear)
            return
        with Processes(self._recipe, self._store, self.jobs, self._cards) as processes:
            yield processes


@contextmanager
def executor_of(
    on: str | None, recipe: Recipe, store: Any, jobs: int | None, gpus: int | float | None
) -> Iterator[Any]:
    """The place that `--on` names."""
    if on is None or on == "local":
        if gpus is not None:
            raise ConfigError("gpus is for runs on Ray; here CUDA_VISIBLE_DEVICES says which cards may be used")
        yield ThisMachine(recipe, store, jobs)
    elif on == "ray" or on.startswith("ray://"):
        from outgrow.execution.on_ray import Cluster

        if several():
            raise ConfigError(
                "torchrun or accelerate launch has started several ranks, which work on one job at a time; Ray spreads "
                "jobs over machines: start outgrow without a launcher, or leave --on out"
            )
        with Cluster(on, recipe, store, jobs, gpus) as cluster:
            yield cluster
    else:
        raise ConfigError(f"jobs cannot run on {on!r}; say local, ray, or ray://HOST:PORT")


@led
def run_recipe(
    recipe: Recipe,
    *,
    store: str | os.PathLike[str],
    out: Path | None = None,
    jobs: int | None = None,
    command: Iterable[str] = (),
    on: str | None = None,
    gpus: int | float | None = None,
    fail_fast: bool = False,
    progress: Progress | None = None,
    so_far: Callable[[dict[str, Any]], str] | None = None,
) -> RunResult:
    """Carry a recipe out and write its folder: results, provenance, tables.

    Args:
        recipe: what to run.
        store: folder or URL where artefacts are kept; what is there already is not done again.
        out: the run's folder; `runs/<name>-<hash>` by default.
        jobs: jobs at a time. By default here one per graphics card, or per core where there is none; on Ray as many as
            the cluster has room for. Does not change the numbers.
        command: the command line, for the provenance.
        on: where jobs run: None for this machine, `ray` for the cluster that RAY_ADDRESS names or this machine belongs
            to, `ray://HOST:PORT` for one elsewhere. Its machines share the store and the recipe's files.
        gpus: on Ray, graphics cards per job, or a fraction that several jobs share; by default 1 where the cluster
            has any, else 0. With 0 a job does not see a card, which decides its numbers.
        fail_fast: stop everything at the first failure.
        progress: where it is shown how far the run is; stderr by default.
        so_far: makes the text that is shown there of the results of 1, 2, 4, ... complete seeds while others are left;
            not on Ray.

    Raises:
        RunFailedError: jobs failed; `.failures` says which. Everything that did not need them is done and in the store.
        OutgrowError: nothing was begun, because the recipe's files or prerequisites are at fault.
    """
    started, clock = datetime.now(UTC), time.monotonic()
    location = os.fspath(store)
    if "://" not in location:
        location = str(Path(location).absolute())  # the same for every worker
    folder = out or Path("runs") / f"{recipe.name}-{sha256_text(recipe.canonical_json())[:8]}"
    graph = Graph(jobs_of(recipe))
    with executor_of(on, recipe, location, jobs, gpus) as executor:
        executor.check(recipe, location)
        make_folder(folder)
        with progress or Progress() as shown:
            overview = Overview(graph, shown)
            tell = None
            if so_far is not None and isinstance(executor, ThisMachine):  # a full cluster would keep it waiting
                tell = SoFar(recipe, location, graph, so_far, shown.say)
            with executor.workers(overview) as workers:
                ended = run_jobs(graph, workers, overview, fail_fast=fail_fast, so_far=tell)
        if graph.failures:
            raise failures.write(folder, graph)
        done = [job for job, _ in ended]
        gathered = executor.gather(recipe, location, done)
    provenance = {
        "recipe_given": recipe.given,
        "recipe_path": recipe.path,
        "command": list(command),
        **{name: gathered.environment.get(name) for name in ("versions", "python", "platform", "hardware", "git")},
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
        "jobs": executor.jobs,
        "on": on or "local",
    }
    write_folder(folder, gathered, provenance)
    return RunResult(folder, gathered.results)


def write_folder(folder: Path, gathered: Gathered, provenance: dict[str, Any]) -> None:
    """Write what `outgrow report` reads; results come last: their being there means that the folder is complete."""
    from outgrow.experiment.results import write_tables

    make_folder(folder)
    failures.forget(folder)
    write_tables(gathered.tables, folder)
    write_json(provenance, folder / "provenance.json")
    write_json(gathered.results, folder / "results.json")

"""What workers tell: progress of a job, and how it ended."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

from outgrow.core.errors import Failure
from outgrow.core.events import Event, Number, Sink
from outgrow.experiment.graph import Done, Job, perform
from outgrow.experiment.question_tables import questions_of
from outgrow.experiment.step_runner import StepRunner
from outgrow.models.machine import threads
from outgrow.recipe.recipe import Recipe
from outgrow.store import StepBusyError, StepUse, Store


@dataclass(frozen=True)
class Told:
    """News of a job that goes on; without an event: that a worker has begun it."""

    job: Job
    event: Event | None = None


@dataclass(frozen=True)
class Finished:
    """A job is done; it took its worker so many seconds."""

    job: Job
    done: Done
    seconds: Number


@dataclass(frozen=True)
class Busy:
    """A job cannot go on until another process has made the step with that key; its worker is free again.

    `log` has the steps that it used so far.
    """

    job: Job
    key: str
    log: tuple[StepUse, ...] = ()


@dataclass(frozen=True)
class Failed:
    """A job raised an error."""

    job: Job
    failure: Failure


@dataclass(frozen=True)
class Died:
    """The worker of a job is gone, for instance killed because memory ran out."""

    job: Job
    why: str


Outcome = Finished | Busy | Failed | Died


@runtime_checkable
class Workers(Protocol):
    """Those who carry jobs out.

    Attributes:
        size: jobs that can be under way at a time.
        spare: jobs that may wait for a step with nobody else in need of their worker.
    """

    size: int
    spare: int

    def begin(self, job: Job, *, wait: bool) -> None:
        """Give a job to a free worker; `wait` allows it to stay there while another process makes a step of it."""

    def news(self, timeout: Number) -> Iterable[Told | Outcome]:
        """What has happened; comes back after `timeout` seconds at the latest when nothing has."""


def carry_out(recipe: Recipe, store: Store, job: Job, sink: Sink) -> Done:
    """Make every step of one job; every result goes to the store, which was opened with `unsealed=True`.

    Raises:
        StepBusyError: another process is making a step of the job, and the store was opened not to wait.
    """
    threads(recipe.threads)

    def report(what: str, done: int, total: int) -> None:
        sink(Event(f"{os.getpid()}-{what}", f"{job.label}: {what}", done, total, closed=done >= total))

    runner = StepRunner(recipe, store, report, questions_of(recipe))
    return replace(perform(runner, job), log=tuple(store.log), usage=runner.usage)


def look_up(recipe: Recipe, store: Any, job: Job) -> Finished | None:
    """The job, if every step of it is in the store already; whatever is in the way is left to those who make it."""
    started = time.perf_counter()
    try:
        done = carry_out(recipe, Store(store, unsealed=True, makes=False), job, lambda event: None)
    except Exception:
        return None
    return Finished(job, done, time.perf_counter() - started)


def attempt(recipe: Recipe, store: Any, job: Job, *, wait: bool, sink: Sink) -> Outcome:
    """Carry a job out here; never raises an `Exception`."""
    started = time.perf_counter()
    log: list[StepUse] = []
    try:
        opened = Store(store, unsealed=True, wait=wait)
        log = opened.log
        done = carry_out(recipe, opened, job, sink)
    except StepBusyError as busy:
        return Busy(job, busy.key, tuple(log))
    except Exception as error:
        return Failed(job, Failure.of(job.label, error))
    return Finished(job, done, time.perf_counter() - started)

"""Jobs on this machine: one after the other in this process, or in processes of their own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import pickle
import signal
import sys
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

from outgrow.core.errors import Failure
from outgrow.core.events import Event, Number, seldom
from outgrow.core.registry import registered_here
from outgrow.core.terminal import plain_warnings
from outgrow.execution.outcome import Died, Failed, Finished, Outcome, Told, attempt, look_up
from outgrow.experiment.graph import Job
from outgrow.models.machine import has_cuda
from outgrow.recipe.recipe import Recipe

# glibc gives large blocks back to the system at once and takes them anew; keeping them saves a third of the time.
MALLOC = {"MALLOC_MMAP_THRESHOLD_": "4294967296", "MALLOC_TRIM_THRESHOLD_": "4294967296", "MALLOC_TOP_PAD_": "67108864"}


class Here:
    """This process, one job at a time; progress is told at once."""

    size = 1
    spare = 1

    def __init__(self, recipe: Recipe, store: Any, tell: Any) -> None:
        self._recipe, self._store, self._tell = recipe, store, tell
        self._jobs: list[tuple[Job, bool]] = []

    def begin(self, job: Job, *, wait: bool) -> None:
        """Keep the job for `news`."""
        self._jobs.append((job, wait))

    def news(self, timeout: Number) -> Iterator[Outcome]:
        """Carry out what was given; takes as long as that takes."""
        while self._jobs:
            job, wait = self._jobs.pop()
            self._tell(Told(job))
            yield attempt(self._recipe, self._store, job, wait=wait, sink=partial(_tell, self._tell, job))


@dataclass
class _Worker:
    process: Any
    link: Connection
    job: Job | None = None


class Processes:
    """Processes that take one job after the other; one that dies is replaced.

    Each has a pipe of its own, so that none can leave a lock behind that the others need. None is started before the
    first job of which something has to be made: until then jobs are looked up here.

    Args:
        recipe: what is run.
        store: where results go.
        size: how many processes.
        cards: graphics cards to spread them over, as CUDA_VISIBLE_DEVICES names them; none leaves it as it is.
    """

    def __init__(self, recipe: Recipe, store: Any, size: int, cards: Sequence[str] = ()) -> None:
        self.size = self.spare = size
        self._threads, self._store, self._cards = recipe.threads, store, cards
        self._recipe = pickle.dumps(recipe)  # read by the worker itself, so that a fault is the job's and has words
        self._workers: list[_Worker | None] = [None] * size
        self._looked_up: list[Finished] = []
        self._find: Callable[[Job], Finished | None] = partial(look_up, recipe, store)

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *error: object) -> None:
        """End every process at once; what it had begun is taken up again from the store another time."""
        workers = [worker for worker in self._workers if worker is not None]
        for worker in workers:
            worker.process.kill()
        for worker in workers:
            worker.process.join()
            worker.process.close()
            worker.link.close()

    def begin(self, job: Job, *, wait: bool) -> None:
        """Give a job to a process that has none."""
        if not any(self._workers) and (finished := self._find(job)) is not None:
            self._looked_up.append(finished)
            return
        place = next(i for i, worker in enumerate(self._workers) if worker is None or worker.job is None)
        worker = self._workers[place] or self._start(place)
        worker.job = job
        with contextlib.suppress(OSError):  # a process that is gone is found by `news`
            worker.link.send((job, wait))

    def news(self, timeout: Number) -> Iterator[Told | Outcome]:
        """What was looked up, what the processes say, and which of them died."""
        if self._looked_up:
            for finished in self._looked_up:
                yield from (Told(finished.job), finished)
            self._looked_up.clear()
            return
        workers = {worker.link: worker for worker in self._workers if worker is not None and worker.job is not None}
        for link in wait(list(workers), timeout):
            worker = workers[link]  # type: ignore[index]
            assert worker.job is not None
            try:
                news = worker.link.recv()
            except (EOFError, OSError):
                yield Died(worker.job, self._bury(worker))
                continue
            if not isinstance(news, Told):
                worker.job = None
            yield news

    def _start(self, place: int) -> _Worker:
        context = multiprocessing.get_context("spawn")
        link, far_end = context.Pipe()
        process = context.Process(target=_work, args=(far_end, self._recipe, self._store), name=f"outgrow-{place}")
        variables = {**MALLOC, **os.environ, "OMP_NUM_THREADS": str(self._threads)}
        if self._cards:
            variables["CUDA_VISIBLE_DEVICES"] = self._cards[place % len(self._cards)]
        with _environment(variables), _no_interrupt(), _no_script(self._recipe):
            process.start()
        far_end.close()  # so that its death ends the pipe
        worker = self._workers[place] = _Worker(process, link)
        return worker

    def _bury(self, worker: _Worker) -> str:
        """Clear a dead process away; how it ended, in words."""
        worker.process.join()
        code = worker.process.exitcode
        worker.process.close()
        worker.link.close()
        self._workers[self._workers.index(worker)] = None
        if code < 0:
            return f"its process was ended by {signal.Signals(-code).name}"
        return f"its process ended with status {code}"


def _work(link: Connection, recipe: bytes, store: Any) -> None:
    """What a process does: the jobs that it is sent, one after the other."""
    import warnings

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    plain_warnings()
    warnings.simplefilter("default")
    warnings.simplefilter("ignore", DeprecationWarning)  # of libraries, for those who develop them
    threading.Thread(target=_follow_parent, daemon=True).start()
    lock = threading.Lock()
    opened: Recipe | None = None

    def say(something: Told | Outcome) -> None:
        with lock:
            link.send(something)

    while True:
        try:
            job, wait = link.recv()
        except EOFError:
            return
        say(Told(job))
        try:
            opened = opened or pickle.loads(recipe)
        except Exception as error:
            say(Failed(job, Failure.of(job.label, error)))
            continue
        say(attempt(opened, store, job, wait=wait, sink=seldom(partial(_tell, say, job))))


def _tell(say: Callable[[Told], None], job: Job, event: Event) -> None:
    say(Told(job, event))


def _follow_parent() -> None:
    """End this process when the one that started it has been killed; it would wait for jobs for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    """These variables for a process that is started meanwhile: its allocator reads them before Python begins."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


@contextlib.contextmanager
def _no_interrupt() -> Iterator[None]:
    """Ctrl-C is for this process alone: one that is started meanwhile never sees it, and is ended by this one."""
    resource_tracker.ensure_running()  # it would unblock signals when it is started on the way
    before = signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGINT])
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextlib.contextmanager
def _no_script(recipe: bytes) -> Iterator[None]:
    """A process that is started meanwhile does not run the user's script, which would begin the run a second time.

    Unless the recipe holds something that only the script defines, or the script has registered something; then it has
    to guard its own start.
    """
    before = sys.modules["__main__"]
    if b"__main__" not in recipe and not registered_here():
        sys.modules["__main__"] = types.ModuleType("__main__")
    try:
        yield
    finally:
        sys.modules["__main__"] = before


def cards() -> list[str]:
    """The graphics cards of this machine that torch can use, as CUDA_VISIBLE_DEVICES names them."""
    if not has_cuda():
        return []
    import torch

    named = [name.strip() for name in os.environ.get("CUDA_VISIBLE_DEVICES", "").split(",") if name.strip()]
    return (named or [str(i) for i in range(torch.cuda.device_count())])[: torch.cuda.device_count()]


def cores() -> int:
    """Processor cores that this process may use."""
    if sys.platform == "linux":
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1

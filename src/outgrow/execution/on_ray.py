"""Jobs on a Ray cluster: each is one task, tried again elsewhere when its machine is lost.

Everything that needs the store, the models or the recipe's files is done on the cluster; this process only keeps the
graph of jobs and shows progress.
"""

from __future__ import annotations

import contextlib
import logging
import os
import pickle
import socket
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outgrow.core.errors import Failure, OutgrowError, PrerequisiteError
from outgrow.core.events import Number, seldom
from outgrow.execution.gather import check, gather
from outgrow.execution.local import MALLOC
from outgrow.execution.outcome import Died, Failed, Outcome, Told, attempt
from outgrow.execution.overview import Overview
from outgrow.experiment.graph import Done, Job
from outgrow.recipe.recipe import Recipe

_logger = logging.getLogger("outgrow.execution")

MANY = 10_000
"""Tasks that a cluster is given at a time: it queues those that it has no room for, and may grow to their number."""
EVERY = 1.0
"""Seconds between two looks at the board, and between two pieces of news of one job."""
PATIENCE = 30
"""Seconds that a cluster is given to do something trivial."""


@dataclass(frozen=True)
class Parcel:
    """What a task is sent: a recipe with absolute paths, pickled; the store; the folder that paths are relative to."""

    recipe: bytes
    store: str
    folder: str

    def open(self) -> Recipe:
        """The recipe, in a process that stands in the folder if its machine has that."""
        with contextlib.suppress(OSError):
            os.chdir(self.folder)
        recipe: Recipe = pickle.loads(self.recipe)
        return recipe


class Board:
    """An actor on which workers write what they are doing; what it holds may be lost without harm."""

    def __init__(self) -> None:
        self._news: list[Told] = []

    def tell(self, told: Told) -> None:
        """Add a piece of news."""
        self._news.append(told)

    def take(self) -> list[Told]:
        """All news since the last call."""
        news, self._news = self._news, []
        return news


def _look() -> Callable[[], str]:
    """What says which versions a machine has; Ray sends an inner function as it is, so outgrow may be missing there."""

    def look() -> str:
        import platform

        python = "Python " + ".".join(platform.python_version_tuple()[:2])
        try:
            from outgrow import __version__
        except ImportError:
            return f"{python} without outgrow"
        return f"{python} with outgrow {__version__}"

    return look


version = _look()


def _job(parcel: Parcel, expected: str, job: Job, wait: bool, board: Any) -> Outcome:
    if (running := version()) != expected:
        return Failed(job, Failure.of(job.label, _other_version(running, expected)))
    board.tell.remote(Told(job))
    tell = seldom(lambda event: board.tell.remote(Told(job, event)), every=EVERY)
    try:
        recipe = parcel.open()
    except Exception as error:  # a plugin that cannot be loaded there
        return Failed(job, Failure.of(job.label, error))
    return attempt(recipe, parcel.store, job, wait=wait, sink=tell)


def _call(parcel: Parcel, function: Callable[..., Any], *more: Any) -> Any:
    return function(parcel.open(), parcel.store, *more)


def _other_version(theirs: str, expected: str) -> PrerequisiteError:
    return PrerequisiteError(
        f"a machine of the Ray cluster has {theirs}, and this one {expected}; install the same versions on all"
    )


class Cluster:
    """A Ray cluster as the place of a run.

    Args:
        address: `ray` or `ray://HOST:PORT`.
        recipe: what is run.
        store: a folder that all machines share, or a URL.
        jobs: tasks at a time; None leaves that to the cluster.
        gpus: graphics cards per task; None for 1 where the cluster has any.

    Raises:
        PrerequisiteError: Ray is not installed, there is no cluster, or its versions are others.
    """

    def __init__(self, address: str, recipe: Recipe, store: str, jobs: int | None, gpus: int | float | None) -> None:
        try:
            import ray
        except ImportError as error:
            raise PrerequisiteError(
                "running on a cluster needs Ray; install it with: pip install 'outgrow[ray]'"
            ) from error
        self._ray: Any = ray
        self._address, self._gpus = address, gpus
        absolute = recipe.model_copy(update={"data_dir": str(Path(recipe.data_dir).absolute())})
        absolute._path = recipe.path and str(Path(recipe.path).absolute())
        self._parcel = Parcel(pickle.dumps(absolute), store, str(Path.cwd()))
        self._recipe = recipe
        self.jobs = jobs

    def __enter__(self) -> Cluster:
        self._connected = not self._ray.is_initialized()
        if self._connected:
            connect(self._ray, self._address)
        try:
            self._compare()
            if self._gpus is None:
                self._gpus = 1.0 if self._ray.cluster_resources().get("GPU") else 0.0
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        if self._connected:
            self._ray.shutdown()

    def check(self, recipe: Recipe, store: Any) -> None:
        """As `outgrow.execution.run.check`, on the cluster."""
        self._on_cluster(check)

    def gather(self, recipe: Recipe, store: Any, done: Sequence[Done]) -> Any:
        """As `outgrow.execution.run.gather`, on the cluster."""
        return self._on_cluster(gather, done)

    @contextmanager
    def workers(self, overview: Overview) -> Iterator[Tasks]:
        """The cluster's workers; leaving ends what they are doing."""
        board = self._ray.remote(Board).options(num_cpus=0, max_restarts=-1).remote()
        task = self._ray.remote(_job).options(**self._needs(), max_retries=0)
        expected = version()
        tasks = Tasks(
            self._ray, board, lambda job, wait: task.remote(self._parcel, expected, job, wait, board), self.jobs or MANY
        )
        try:
            yield tasks
        finally:
            tasks.stop()

    def _needs(self) -> dict[str, Any]:
        """What Ray gives a job: processor cores, its share of a card, and the environment of its process."""
        threads = self._recipe.threads
        variables = {**MALLOC, "OMP_NUM_THREADS": str(threads)}
        if not self._gpus:
            variables["CUDA_VISIBLE_DEVICES"] = ""  # else a job on a machine with cards would use them without a share
        return {"num_cpus": threads, "num_gpus": self._gpus, "runtime_env": {"env_vars": variables}}

    def _on_cluster(self, function: Callable[..., Any], *more: Any) -> Any:
        task = self._ray.remote(_call).options(**self._needs(), max_retries=3).remote(self._parcel, function, *more)
        if not self._ray.wait([task], timeout=PATIENCE)[0] and not self._room():
            cards = f" and {self._gpus:g} graphics cards" if self._gpus else ""
            needed = f"{self._recipe.threads} processor cores{cards}"
            _logger.warning("no machine of the Ray cluster has %s; waiting until one joins", needed)
        try:
            return self._ray.get(task)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, OutgrowError):
                raise error.cause from None
            raise
        except self._ray.exceptions.RuntimeEnvSetupError as error:
            raise PrerequisiteError(f"the Ray cluster cannot set up processes for jobs: {error}") from error

    def _room(self) -> bool:
        """Whether a machine could do a job if it did nothing else."""
        alive = [node["Resources"] for node in self._ray.nodes() if node["Alive"]]
        needed = {"CPU": self._recipe.threads, "GPU": self._gpus or 0}
        return any(all(has.get(name, 0) >= number for name, number in needed.items()) for has in alive)

    def _compare(self) -> None:
        """Compare versions with one machine; every job compares again, because others may join later."""
        task = self._ray.remote(version).options(num_cpus=0, max_retries=3)
        try:
            theirs = self._ray.get(task.remote(), timeout=PATIENCE)
        except self._ray.exceptions.GetTimeoutError as error:
            raise PrerequisiteError(
                f"the Ray cluster at {self._address} does nothing within {PATIENCE} s; `ray status` shows its machines"
            ) from error
        if theirs != version():
            raise _other_version(theirs, version())


def connect(ray: Any, address: str) -> None:
    """Connect this process to the cluster.

    Raises:
        PrerequisiteError: it is not there, or has another version of Ray or Python.
    """
    _reach(address if address != "ray" else os.environ.get("RAY_ADDRESS", ""))
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # an address that does not answer: the error says so too
            ray.init(address="auto" if address == "ray" else address, **options)
    except (ConnectionError, RuntimeError, ImportError, ValueError, TimeoutError) as error:
        advice = (
            "set RAY_ADDRESS to HOST:PORT of its head, or start one with: ray start --head"
            if address == "ray"
            else "is its client server there, and are Ray and Python the same as here?"
        )
        lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [type(error).__name__]
        reason = lines[0] if len(lines) == 1 else f"{lines[0]} {lines[-1]}"  # between them a traceback
        raise PrerequisiteError(f"no connection to a Ray cluster at {address}: {reason}; {advice}") from error


def _reach(address: str) -> None:
    """Fail at once where nobody listens; Ray itself tries for minutes.

    Raises:
        PrerequisiteError: HOST:PORT, with or without ray://, does not answer.
    """
    host, _, port = address.removeprefix("ray://").partition("/")[0].rpartition(":")
    if not (host and port.isdecimal()):
        return  # no address, or one that Ray looks up or refuses
    try:
        socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
    except OSError as error:
        raise PrerequisiteError(
            f"no Ray cluster answers at {address}: {error}; is its head (for ray://, its client server) running?"
        ) from error


class Tasks:
    """Jobs as tasks of a cluster; `outgrow.execution.outcome.Workers`.

    Args:
        ray: the module.
        board: the actor with news.
        send: begins a task, `send(job, wait)`.
        size: tasks at a time.
    """

    spare = 1  # others may need the machines: only the last job waits on one

    def __init__(self, ray: Any, board: Any, send: Callable[[Job, bool], Any], size: int) -> None:
        self.size = size
        self._ray, self._board, self._send = ray, board, send
        self._tasks: dict[Any, Job] = {}
        self._looked = 0.0

    def begin(self, job: Job, *, wait: bool) -> None:
        """Send the job to the cluster, which begins it as soon as it has room."""
        self._tasks[self._send(job, wait)] = job

    def news(self, timeout: Number) -> Iterator[Told | Outcome]:
        """What stands on the board, and what tasks came to."""
        yield from self._board_news()
        ready, _ = self._ray.wait(list(self._tasks), timeout=min(timeout, EVERY))
        for ref in ready:
            yield self._outcome(ref, self._tasks.pop(ref))

    def stop(self) -> None:
        """End all tasks at once."""
        with contextlib.suppress(self._ray.exceptions.RayError, ConnectionError):
            for ref in self._tasks:
                self._ray.cancel(ref, force=True)
            self._ray.kill(self._board)

    def _outcome(self, ref: Any, job: Job) -> Outcome:
        errors = self._ray.exceptions
        try:
            outcome: Outcome = self._ray.get(ref)
            return outcome
        except (errors.RayTaskError, errors.RuntimeEnvSetupError, errors.TaskUnschedulableError) as error:
            return Failed(job, Failure.of(job.label, error))
        except errors.RayError as error:
            return Died(job, f"its worker on the Ray cluster is gone ({type(error).__name__})")

    def _board_news(self) -> list[Told]:
        """What stands on the board; nothing while its machine is lost and it begins elsewhere."""
        if time.monotonic() - self._looked < EVERY:
            return []
        self._looked = time.monotonic()
        under_way = set(self._tasks.values())
        try:
            news: list[Told] = self._ray.get(self._board.take.remote(), timeout=EVERY)
        except self._ray.exceptions.RayError:
            return []
        return [told for told in news if told.job in under_way]

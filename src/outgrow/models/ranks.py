"""Several processes that work on one thing, as `torchrun` and `accelerate launch` start them.

Rank 0 leads: it alone walks through the jobs, talks to the store, prints and writes. The others follow: they wait for
calls, carry them out together with rank 0 and wait again. So nothing has to be decided twice, and a result that is in
the store already is none of the followers' business.

Words between ranks (calls, errors, small results) travel over a group of their own on the CPU, which waits as long as
it takes; gradients take the usual way, whose time-out stays in force, because there all ranks are at work.
"""

from __future__ import annotations

import atexit
import os
import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import lru_cache, wraps
from typing import Any, ParamSpec, TypeVar, cast

from outgrow.core.errors import OutgrowError, TrainingError

P = ParamSpec("P")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])
PATIENCE = timedelta(days=365)
"""How long followers wait for the next call; a supervisor on a server may take days to answer."""
LOCAL = ("stage", "progress", "evaluate", "at_checkpoint", "tracker")
"""Options of calls that mean something to rank 0 alone: journals, reports of progress, how checkpoints are judged."""
GRACE = 15.0
"""Seconds in which ranks that fail for the same reason are expected to say so."""


def several() -> bool:
    """Whether this process was started as one of several ranks; does not import torch."""
    return int(os.environ.get("WORLD_SIZE") or 1) > 1


class Ranks:
    """The processes of one launch; every method but `call` is called by all of them in the same order.

    Args:
        group: for words; None for a process that is alone.
        notes: a key-value store that all ranks can reach while others are busy.
        rank: this process's number.
        size: number of processes.
    """

    def __init__(self, group: Any = None, notes: Any = None, rank: int = 0, size: int = 1) -> None:
        self.rank, self.size = rank, size
        self.splitting = False  # whether what runs now is a call whose micro-batches are shared out
        self._group, self._notes = group, notes
        self._leading = False  # rank 0: whether the others wait for calls
        self._held: Any = None  # what calls are about, usually a model, held by every rank
        self._calls = 0
        self._lost: str | None = None

    @property
    def first(self) -> bool:
        """Whether this is rank 0."""
        return self.rank == 0

    def tell(self, value: T) -> T:
        """Rank 0's value."""
        if self.size == 1:
            return value
        from torch.distributed import broadcast_object_list

        told: list[Any] = [value if self.first else None]
        broadcast_object_list(told, src=0, group=self._group)
        found: T = told[0]
        return found

    def gather(self, value: T) -> list[T]:
        """The values of all ranks, by rank."""
        if self.size == 1:
            return [value]
        from torch.distributed import all_gather_object

        found: list[Any] = [None] * self.size
        all_gather_object(found, value, group=self._group)
        return found

    def agree(self, attempt: Callable[[], T]) -> list[T]:
        """Every rank's result of `attempt`; where one fails, all raise that error."""
        if self.size == 1:
            return [attempt()]
        try:
            own: tuple[Any, BaseException | None] = (attempt(), None)
        except Exception as error:
            own = (None, error)
        found = self.gather((own[0], None if own[1] is None else _portable(own[1])))
        if any(error is not None for _, error in found):
            raise self._error_of([error for _, error in found], own[1])
        return [value for value, _ in found]

    def only_first(self, attempt: Callable[[], T]) -> T:
        """Rank 0's result of `attempt`, on all ranks; where it fails, all raise its error."""
        return self.agree(lambda: attempt() if self.first else None)[0]  # type: ignore[return-value]

    def _error_of(self, errors: Sequence[BaseException | None], own: BaseException | None) -> BaseException:
        """The error of the lowest rank that has one; if it is not everybody's, the message says whose it is."""
        rank = next(i for i, error in enumerate(errors) if error is not None)
        error = own if rank == self.rank else errors[rank]
        assert error is not None
        if rank and any(other is None for other in errors):
            told = TrainingError(f"rank {rank} of {self.size} failed: {_said(error)}")
            told.exit_code = getattr(error, "exit_code", 1)
            error = told
        if isinstance(error, OutgrowError):
            error.echo = not self.first
        return error

    # Leading and following ----------------------------------------------------------------------------------

    def lead(self, body: Callable[[], T], held: Any = None) -> T:
        """Rank 0 runs `body`, whose calls the others carry out with it; all return its result or raise its error."""
        if self.size == 1 or self._leading:
            return body()
        before, self._held = self._held, held if held is not None else self._held
        try:
            return self._run(body) if self.first else self._follow()
        finally:
            self._held = before

    def _run(self, body: Callable[[], T]) -> T:
        self._leading, error, result = True, None, None
        try:
            result = body()
            return result
        except BaseException as raised:
            error = raised
            raise
        finally:
            self._leading = False
            if self._lost is None and not isinstance(error, KeyboardInterrupt):
                self.tell(("end", None if error is None else _portable(error), _sendable(result)))

    def _follow(self) -> Any:
        import torch

        while True:
            try:
                told: tuple[Any, ...] = self.tell(())
            except RuntimeError as lost:
                raise self._lost_contact(lost, self._calls) from lost
            kind, *rest = told
            if kind == "end":
                error, result = rest
                if error is not None:
                    raise self._error_of([error] * self.size, None)
                return result
            function, arguments, options, splitting, threads = rest
            if torch.get_num_threads() != threads:
                torch.set_num_threads(threads)
            # An error that all ranks share is rank 0's to raise; it may go on with other work.
            self._attempt(function, arguments, options, splitting)

    def call(self, function: Callable[..., T], *arguments: Any, splitting: bool = False, **options: Any) -> T:
        """`function(held, ...)` on all ranks at once, where they are waiting for calls; else here alone.

        Args:
            function: importable by its name on all ranks; gets what the ranks hold first.
            arguments: for the function; they are sent to the other ranks.
            splitting: whether micro-batches inside are shared out among the ranks (`outgrow.models.batches`).
            options: keyword arguments; those named in `LOCAL` stay on rank 0.
        """
        if not self._leading:
            return function(self._held, *arguments, **options)
        import torch

        if self._lost is not None:
            raise TrainingError(self._lost)
        sent = {name: value for name, value in options.items() if name not in LOCAL}
        try:
            self.tell(("call", function, arguments, sent, splitting, torch.get_num_threads()))
        except RuntimeError as lost:
            raise self._lost_contact(lost, self._calls) from lost
        self._leading = False
        try:
            found, error = self._attempt(function, arguments, options, splitting)
        finally:
            self._leading = True
        if error is not None:
            raise error
        return found  # type: ignore[return-value]

    def shares(self, held: Any) -> bool:
        """Whether a call about `held` would be carried out by all ranks."""
        return self._leading and held is self._held

    def hold(self, value: Any) -> None:
        """From now on calls are about `value`."""
        self._held = value if self.size > 1 else None

    def _attempt(
        self, function: Callable[..., T], arguments: Sequence[Any], options: Mapping[str, Any], splitting: bool
    ) -> tuple[T | None, Exception | None]:
        """The result, or an error that all ranks have met.

        Raises:
            Exception: an error of this rank alone. Others may be in the middle of a step and cannot be told, so this
                process has to end; theirs do then.
        """
        self._calls += 1
        number = self._calls
        before, self.splitting = self.splitting, splitting
        try:
            return function(self._held, *arguments, **options), None
        except Exception as error:
            if self._all_failed(error, number):
                return None, error
            raise self._lost_contact(error, number) from error
        finally:
            self.splitting = before

    def _all_failed(self, error: Exception, number: int) -> bool:
        """Leave a note of an error in call `number`; True if all ranks leave one within a while."""
        key = f"outgrow/failed/{number}/"
        try:
            self._notes.set(f"{key}{self.rank}", _said(error))
            end = time.monotonic() + GRACE
            while not self._notes.check([f"{key}{rank}" for rank in range(self.size)]):
                if time.monotonic() > end:
                    return False
                time.sleep(0.05)
        except RuntimeError:  # the process that kept the notes is gone
            return False
        return not any(_is_contact(self._notes.get(f"{key}{rank}").decode()) for rank in range(self.size))

    def _lost_contact(self, error: Exception, number: int) -> TrainingError:
        """What to say of an error that only some ranks have met: the one with the cause tells the user."""
        said, rank, echo = _said(error), self.rank, False
        if _is_contact(said):  # not the cause: another rank has left
            for other, found in self._notes_of(number):
                if not _is_contact(found):
                    said, rank, echo = found, other, True
                    break
        told = TrainingError(f"rank {rank} of {self.size} failed: {said}")
        told.exit_code, told.echo = getattr(error, "exit_code", 1), echo
        self._lost = str(told)
        return told

    def _notes_of(self, number: int) -> list[tuple[int, str]]:
        """What the ranks have noted of a call that failed, as far as can still be found out."""
        found = []
        for rank in range(self.size):
            key = f"outgrow/failed/{number}/{rank}"
            with suppress(RuntimeError):  # the process that kept the notes is gone
                if self._notes.check([key]):
                    found.append((rank, self._notes.get(key).decode()))
        return found


CONTACT = ("Connection closed by peer", "Connection reset by peer", "Broken pipe", "Socket closed", "NCCL")


def _is_contact(said: str) -> bool:
    return any(words in said for words in CONTACT)


def _said(error: BaseException) -> str:
    return str(error) if isinstance(error, OutgrowError) else f"{type(error).__name__}: {error}"


def _portable(error: BaseException) -> BaseException:
    """The error, or one with its words where it cannot be sent."""
    told: BaseException = TrainingError(_said(error))
    return _sendable(error) or told


def _sendable(value: T) -> T | None:
    """The value if it can be sent to another process."""
    try:
        pickle.loads(pickle.dumps(value))
    except Exception:
        return None
    return value


_alone = Ranks()


def ranks() -> Ranks:
    """The processes of this launch; joins them when it is called for the first time."""
    return _joined() if several() else _alone


@lru_cache(maxsize=1)
def _joined() -> Ranks:
    from accelerate import PartialState
    from accelerate.utils import parse_flag_from_env
    from torch import distributed

    state = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU"))
    if state.num_processes == 1:
        return _alone
    group = distributed.new_group(backend="gloo", timeout=PATIENCE)
    notes = distributed.distributed_c10d._get_default_store()
    atexit.register(state.destroy_process_group)
    return Ranks(group, notes, state.process_index, state.num_processes)


def led(function: Callable[P, T]) -> Callable[P, T]:
    """Makes a function run on rank 0, whose calls the other ranks carry out; they return or raise what it does."""

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        return ranks().lead(lambda: function(*args, **kwargs))

    return run


def split(function: F) -> F:
    """Makes an inference function `f(loaded, ...)` share its micro-batches among ranks that hold `loaded`."""

    @wraps(function)
    def run(loaded: Any, *args: Any, **kwargs: Any) -> Any:
        team = ranks()
        if not team.shares(loaded):
            return function(loaded, *args, **kwargs)
        return team.call(run, *args, splitting=True, **kwargs)

    return cast(F, run)

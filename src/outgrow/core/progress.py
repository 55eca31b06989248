"""Progress with time left for every long step: a live display on a terminal, plain lines elsewhere.

A long step reports to a *sink*, any callable that takes an `Event`. `Progress` is the sink that shows events to a
person; a worker process gets `to_queue(queue)`, and the parent's `Progress.listen(queue)` shows what arrives:

    with Progress() as progress, step(progress, "answers", total=5000) as answers:
        for batch in batches:
            ...
            answers.advance(len(batch))
"""

from __future__ import annotations

import itertools
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from outgrow.core.progress_display import Lines, Live

_numbers = itertools.count()
Number = int | float


@dataclass(frozen=True)
class Event:
    """How far a step is.

    Attributes:
        key: names the step across processes.
        label: what a person reads; when it changes, so has what is counted.
        done: units done so far.
        total: units in all, or None when that is not known.
        note: a few more words, such as the current loss.
        closed: the step has ended, complete or not.
        left: seconds left, where the sender knows better than the average speed so far; NaN where nobody can tell.
        overall: it is about everything at once; plain lines about it come as often as those of all others together.
    """

    key: str
    label: str
    done: Number
    total: Number | None = None
    note: str = ""
    closed: bool = False
    left: Number | None = None
    overall: bool = False


Sink = Callable[[Event], None]


def silent(event: Event) -> None:
    """The sink that shows nothing."""


def to_queue(queue: Any, *, every: Number = 0.2, clock: Callable[[], Number] = time.monotonic) -> Sink:
    """A sink for a worker process: puts events on `queue`, at most one per step and `every` seconds."""
    return seldom(queue.put, every=every, clock=clock)


def seldom(send: Sink, *, every: Number = 0.2, clock: Callable[[], Number] = time.monotonic) -> Sink:
    """A sink that hands on at most one event per step and `every` seconds; the first and the last always."""
    last: dict[str, Number] = {}

    def sink(event: Event) -> None:
        now = clock()
        if event.closed or event.key not in last or now - last[event.key] >= every:
            last[event.key] = now
            send(event)
        if event.closed:
            del last[event.key]

    return sink


class Step:
    """One long step; made by `step`."""

    def __init__(self, sink: Sink, label: str, total: Number | None) -> None:
        self._sink = sink
        self._event = Event(f"{os.getpid()}-{next(_numbers)}", label, 0, total)
        sink(self._event)

    def update(self, done: Number, total: Number | None = None, note: str | None = None) -> None:
        """Set how much is done; a `total` or `note` that is not given stays as it was."""
        old = self._event
        self._event = Event(
            old.key, old.label, done, old.total if total is None else total, old.note if note is None else note
        )
        self._sink(self._event)

    def advance(self, units: Number = 1, note: str | None = None) -> None:
        """Add `units` to what is done."""
        self.update(self._event.done + units, note=note)

    def close(self) -> None:
        """The step has ended; its last state is shown once more."""
        e = self._event
        self._sink(Event(e.key, e.label, e.done, e.total, e.note, closed=True))


@contextmanager
def step(sink: Sink, label: str, total: Number | None = None) -> Iterator[Step]:
    """A step that reports to `sink` and is closed at the end, whatever happens."""
    own = Step(sink, label, total)
    try:
        yield own
    finally:
        own.close()


def duration(seconds: Number) -> str:
    """Seconds in words: "4 s", "2 min 5 s", "1 h 3 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


class Progress:
    """Shows events. Safe to call from several threads; steps of other processes come through `listen`.

    Args:
        stream: where to write; stderr by default, so that a table on stdout stays clean.
        live: a live display (True) or plain lines (False); by default live when the stream is a terminal.
        every: seconds between two plain lines; of several steps under way at once each has its turn.
        clock: seconds, for tests.
    """

    def __init__(
        self,
        stream: Any | None = None,
        *,
        live: bool | None = None,
        every: Number = 5.0,
        clock: Callable[[], Number] = time.monotonic,
    ) -> None:
        from outgrow.core.progress_display import Lines, Live

        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        wants_live = self._stream.isatty() if live is None else live
        self._display: Live | Lines = Live(self._stream) if wants_live else Lines(self._stream, every, clock)
        self._lock = threading.Lock()

    def __enter__(self) -> Progress:
        self._display.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._lock:
            self._display.stop()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        with self._lock:
            self._display.show(event)

    def say(self, text: str) -> None:
        """Show a line that stays."""
        with self._lock:
            self._display.say(text)

    @contextmanager
    def listen(self, queue: Any) -> Iterator[None]:
        """Show the events that worker processes put on `queue` until the block ends."""

        def drain() -> None:
            while (event := queue.get()) is not None:
                self(event)

        thread = threading.Thread(target=drain, name="outgrow-progress", daemon=True)
        thread.start()
        try:
            yield
        finally:
            queue.put(None)
            thread.join(timeout=5)

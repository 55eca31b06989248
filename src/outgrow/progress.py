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
from typing import Any

_numbers = itertools.count()
Number = int | float


@dataclass(frozen=True)
class Event:
    """How far a step is.

    Attributes:
        key: names the step across processes.
        label: what a person reads.
        done: units done so far.
        total: units in all, or None when that is not known.
        note: a few more words, such as the current loss.
        closed: the step has ended, complete or not.
    """

    key: str
    label: str
    done: Number
    total: Number | None = None
    note: str = ""
    closed: bool = False


Sink = Callable[[Event], None]


def silent(event: Event) -> None:
    """The sink that shows nothing."""


def to_queue(queue: Any, *, every: Number = 0.2, clock: Callable[[], Number] = time.monotonic) -> Sink:
    """A sink for a worker process: puts events on `queue`, at most one per step and `every` seconds."""
    last: dict[str, Number] = {}

    def sink(event: Event) -> None:
        now = clock()
        if event.closed or event.key not in last or now - last[event.key] >= every:
            last[event.key] = now
            queue.put(event)

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
        every: seconds between two plain lines of the same step.
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
        self._stream = sys.stderr if stream is None else stream
        self._clock = clock
        wants_live = self._stream.isatty() if live is None else live
        self._display: _Live | _Lines = _Live(self._stream) if wants_live else _Lines(self._stream, every, clock)
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


class _Lines:
    """Plain lines: a step's first event, then one line per interval, then its end."""

    def __init__(self, stream: Any, every: Number, clock: Callable[[], Number]) -> None:
        self._stream, self._every, self._clock = stream, every, clock
        self._started: dict[str, tuple[Number, Number]] = {}  # key -> time and units done at the first event
        self._printed: dict[str, Number] = {}

    def start(self) -> None:
        """Nothing to set up."""

    def stop(self) -> None:
        self._stream.flush()

    def show(self, event: Event) -> None:
        now = self._clock()
        start, before = self._started.setdefault(event.key, (now, event.done))
        if event.closed:
            self._started.pop(event.key)
            if self._printed.pop(event.key, None) is not None or now - start >= self._every:
                self._print(event, f"ended after {duration(now - start)}")
        elif now - self._printed.get(event.key, start) >= self._every:
            self._printed[event.key] = now
            self._print(event, _left(event, before, now - start))

    def _print(self, event: Event, ending: str) -> None:
        of = f"/{event.total:,.0f} ({event.done / event.total:.0%})" if event.total else ""
        parts = [f"{event.label}: {event.done:,.0f}{of}", ending, event.note]
        self._stream.write(", ".join(part for part in parts if part) + "\n")
        self._stream.flush()


def _left(event: Event, before: Number, elapsed: Number) -> str:
    """Time left by the average speed so far; empty when it cannot be told."""
    progressed = event.done - before
    if not event.total or progressed <= 0:
        return ""
    return f"{duration(elapsed * (event.total - event.done) / progressed)} left"


class _Live:
    """rich's bars; a closed step leaves the display."""

    def __init__(self, stream: Any) -> None:
        from rich.console import Console
        from rich.markup import escape
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
        from rich.progress import Progress as Bars

        self._escape = escape
        self._bars = Bars(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[note]}"),
            console=Console(file=stream),
            transient=True,
        )
        self._ids: dict[str, Any] = {}

    def start(self) -> None:
        self._bars.start()

    def stop(self) -> None:
        self._bars.stop()

    def show(self, event: Event) -> None:
        if event.closed:
            if event.key in self._ids:
                self._bars.remove_task(self._ids.pop(event.key))
            return
        if event.key not in self._ids:
            self._ids[event.key] = self._bars.add_task(self._escape(event.label), total=event.total, note="")
        self._bars.update(self._ids[event.key], completed=event.done, total=event.total, note=self._escape(event.note))

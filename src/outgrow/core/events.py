"""News of long steps: what a sink is told, whoever shows it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

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


def duration(seconds: Number) -> str:
    """Seconds in words: "4 s", "2 min 5 s", "1 h 3 min"."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"

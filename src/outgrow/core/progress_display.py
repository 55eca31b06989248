"""The two ways in which progress is shown: plain lines, and a live display on a terminal."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from outgrow.core.events import Event, Number, duration
from outgrow.core.terminal import visible, visible_lines

BAR = 10
"""Columns of a bar."""
QUIET = 60
"""Seconds after which a plain line is said again although nothing has changed."""


@dataclass
class _Row:
    """A step that is under way: when it began, what it counts and since when, from what, and when a line was due."""

    begun: Number
    label: str
    since: Number
    before: Number
    turn: Number
    overall: bool
    printed: bool = False
    said: tuple[Number, str] | None = None
    at: Number = 0


class Lines:
    """Plain lines: one per interval for the whole and one for the steps in turn; a step's end, unless it was short."""

    def __init__(self, stream: Any, every: Number, clock: Callable[[], Number]) -> None:
        self._stream, self._every, self._clock = stream, every, clock
        self._rows: dict[str, _Row] = {}

    def start(self) -> None:
        """Nothing to set up."""

    def stop(self) -> None:
        """Stop showing."""
        self._stream.flush()

    def say(self, text: str) -> None:
        """Show a line that stays."""
        self._stream.write(visible_lines(text) + "\n")
        self._stream.flush()

    def show(self, event: Event) -> None:
        """Show one event."""
        now = self._clock()
        row = self._rows.setdefault(event.key, _Row(now, event.label, now, event.done, now, event.overall))
        if event.label != row.label:
            row.label, row.since, row.before = event.label, now, event.done
        if event.closed:
            del self._rows[event.key]
            if row.printed or now - row.begun >= self._every:
                self._print(event, f"ended after {duration(now - row.begun)}")
        elif now - row.turn >= self._every * (1 if event.overall else max(1, self._steps())):
            row.turn, row.printed = now, True
            said = (event.done, event.note)
            if said != row.said or now - row.at >= QUIET:  # a long wait needs no line every few seconds
                row.said, row.at = said, now
                self._print(event, _left(event, row.before, now - row.since))

    def _steps(self) -> int:
        return sum(1 for row in self._rows.values() if not row.overall)

    def _print(self, event: Event, ending: str) -> None:
        self.say(_sentence(event, ending, math.inf))


def _sentence(event: Event, ending: str, width: Number) -> str:
    """What is done, how far it is and the time left, always whole; what is too wide is cut out of the label's middle.

    The note follows, on a line of its own where there is not room for it.
    """
    label, note = visible(event.label), visible(event.note)
    of = f"/{event.total:,.0f} ({event.done / event.total:.0%})" if event.total else ""
    counted = f"{event.done:,.0f}{of}" if event.done or event.total else ""
    told = ": " * bool(counted) + counted + ", " * bool(ending) + ending
    if (room := max(width - len(told), 16)) < len(label):
        half = int(room - 1) // 2
        label = f"{label[:half]}…{label[-half:]}"
    if not note:
        return label + told
    apart = len(label + told) + 2 + len(note) > width
    return f"{label}{told}\n  {visible(note, int(width) - 2)}" if apart else f"{label}{told}, {note}"


def _left(event: Event, before: Number, elapsed: Number) -> str:
    """Time left as the sender says, else by the average speed so far; empty when it cannot be told."""
    if event.left is not None:
        return "" if math.isnan(event.left) else f"{duration(event.left)} left"
    progressed = event.done - before
    if not event.total or progressed <= 0:
        return ""
    return f"{duration(elapsed * (event.total - event.done) / progressed)} left"


class Live:
    """A bar and a sentence for each step, as wide as the terminal; a closed step leaves the display."""

    def __init__(self, stream: Any) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, ProgressColumn
        from rich.progress import Progress as Bars
        from rich.text import Text

        console = Console(file=stream)

        class Sentence(ProgressColumn):
            """The time left is the sender's, else rich's estimate."""

            max_refresh = 0.5

            def render(self, task: Any) -> Text:
                event: Event = task.fields["event"]
                left = task.time_remaining if event.left is None else event.left
                ending = "" if left is None or math.isnan(left) or task.total is None else f"{duration(left)} left"
                return Text(_sentence(event, ending, console.width - BAR - 1), no_wrap=True, overflow="ellipsis")

        self._bars = Bars(BarColumn(bar_width=BAR), Sentence(), console=console, transient=True)
        self._ids: dict[str, Any] = {}
        self._labels: dict[str, str] = {}

    def start(self) -> None:
        """Begin to show."""
        self._bars.start()

    def stop(self) -> None:
        """Stop showing."""
        self._bars.stop()

    def say(self, text: str) -> None:
        """Show a line that stays."""
        self._bars.console.print(visible_lines(text), markup=False, highlight=False, soft_wrap=True, emoji=False)

    def show(self, event: Event) -> None:
        """Show one event."""
        if event.closed:
            if event.key in self._ids:
                self._labels.pop(event.key)
                self._bars.remove_task(self._ids.pop(event.key))
            return
        if event.key not in self._ids:
            self._ids[event.key] = self._bars.add_task("", total=event.total, event=event)
        elif self._labels[event.key] != event.label:
            self._bars.reset(self._ids[event.key])
            next(bar for bar in self._bars.tasks if bar.id == self._ids[event.key]).total = event.total
        self._labels[event.key] = event.label
        self._bars.update(self._ids[event.key], completed=event.done, total=event.total, event=event)

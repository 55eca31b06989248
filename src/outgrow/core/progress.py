"""Progress with time left for every long step: a live display on a terminal, plain lines elsewhere.

A long step reports to a *sink*, any callable that takes an `Event`. `Progress` is the sink that shows events to a
person.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any

from outgrow.core.events import Event, Number
from outgrow.core.progress_display import Lines, Live


class Progress:
    """Shows events. Safe to call from several threads.

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

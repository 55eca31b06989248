"""What is said when a verb that takes long is stopped."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import typer

from outgrow.core.terminal import line


class _TerminatedError(KeyboardInterrupt):
    """SIGTERM, which ends everything as Ctrl-C does."""


def _terminate(*_: Any) -> NoReturn:
    raise _TerminatedError


@contextmanager
def stoppable(store: str) -> Iterator[None]:
    """Ctrl-C and SIGTERM end what is inside with one line that says what is kept, and with exit code 130 or 143."""
    before = signal.signal(signal.SIGTERM, _terminate)
    try:
        yield
    except KeyboardInterrupt as stopped:
        number = signal.SIGTERM if isinstance(stopped, _TerminatedError) else signal.SIGINT
        if os.environ.get("RANK", "0") == "0":
            by = "SIGTERM" if number == signal.SIGTERM else "Ctrl-C"
            line(
                f"stopped by {by}; what was made, also of unfinished steps, is in the store {store}: "
                "the same command does the rest",
                error=True,
            )
        raise typer.Exit(128 + number) from None
    finally:
        signal.signal(signal.SIGTERM, before)

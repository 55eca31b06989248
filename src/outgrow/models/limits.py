"""Work whose length somebody else's file decides, kept within bounds of time and memory."""

from __future__ import annotations

import ctypes
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class TooMuchError(Exception):
    """The work inside `limited` took longer or more memory than it may."""


@contextmanager
def limited(seconds: float, memory: int) -> Iterator[None]:
    """Stop what runs inside after some time, or when the process has grown too much.

    It is stopped between two steps of Python, in any thread; a single step, such as joining two texts, runs to its end.

    Args:
        seconds: that it may take.
        memory: bytes by which the process may grow (looked at on Linux alone).

    Raises:
        TooMuchError: it was stopped.
    """
    own, start, stop, done = threading.get_ident(), _resident(), time.monotonic() + seconds, threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            if time.monotonic() > stop or _resident() > start + memory:
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(own), ctypes.py_object(TooMuchError))
                return

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        done.set()
        watcher.join()


def _resident() -> int:
    """Bytes of memory that the process holds; 0 where the system does not say."""
    try:
        return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    except OSError:
        return 0

"""math-verify in a process of its own: an expression that explodes takes that process down, not the experiment."""

from __future__ import annotations

import atexit
import contextlib
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path

from outgrow.core.errors import PrerequisiteError

SECONDS = 10  # of processor time for one comparison


class _Worker:
    """The process, started on first use and again after it has died."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._process: subprocess.Popen[str] | None = None
        self._owner = 0

    def _start(self) -> subprocess.Popen[str]:
        program = Path(__file__).with_name("math_worker.py")
        process = subprocess.Popen(
            [sys.executable, "-P", str(program), str(SECONDS)],  # -P: our numbers.py must not hide Python's
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        )
        self._process, self._owner = process, os.getpid()
        assert process.stdout is not None
        if (greeting := process.stdout.readline().strip()) != "ready":
            self._stop()
            raise PrerequisiteError(
                f"math-verify cannot be used: {greeting or 'its process ended'}; reinstall it: "
                'pip install "outgrow[math]"'
            )
        return process

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None or self._owner != os.getpid():  # after a fork, the process is the parent's
            return
        process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):  # text that a dead process will not read
                    pipe.close()
        process.wait()

    def stop(self) -> None:
        """Ends the process, if there is one."""
        with self._lock:
            self._stop()

    def ask(self, a: str, b: str) -> bool:
        """Whether math-verify calls `a` and `b` the same; False when it does not come to an end."""
        with self._lock:
            if self._process is None or self._owner != os.getpid() or self._process.poll() is not None:
                self._stop()
                self._start()
            process = self._process
            assert process is not None
            assert process.stdin is not None
            assert process.stdout is not None
            try:
                process.stdin.write(json.dumps([a, b]) + "\n")
                process.stdin.flush()
                answer = process.stdout.readline()
            except OSError:
                answer = ""
            except BaseException:
                self._stop()  # or the next question would get this one's answer
                raise
            if not answer:
                self._stop()
            return answer.strip() == "true"


_worker = _Worker()
atexit.register(_worker.stop)


@lru_cache(maxsize=100_000)
def _ask(a: str, b: str) -> bool:
    return _worker.ask(a, b)


@cache
def _installed() -> bool:
    return importlib.util.find_spec("math_verify") is not None


def judge() -> Callable[[str, str], bool]:
    """The judge of two LaTeX strings; its answers are remembered.

    Raises:
        PrerequisiteError: math-verify is not installed.
    """
    if not _installed():
        raise PrerequisiteError('comparing mathematics needs math-verify: pip install "outgrow[math]"')
    return _ask

"""Leases: a promise, renewed while its owner lives, that a step is being made by somebody."""

from __future__ import annotations

import json
import os
import socket
import threading
from functools import lru_cache
from pathlib import Path
from typing import Any
from uuid import uuid4

from outgrow.errors import StoreError
from outgrow.store.files import publish


class LeaseLostError(StoreError):
    """The lease expired and another process has taken the step over."""


class Lease:
    """An exclusively created file, touched by a daemon thread every third of its life.

    A lease is taken over when its owner has not renewed it for `seconds` (of the owner's choice), or at once when the
    owner ran on this host and is gone. At worst two processes do the same work; results are safe, because
    only one can be committed.

    Args:
        path: the lease file.
        seconds: how long the promise holds without renewal.
    """

    def __init__(self, path: Path, seconds: int | float) -> None:
        self.path = path
        self.seconds = seconds
        self.owner = uuid4().hex
        self._pid = os.getpid()
        self._stop = threading.Event()

    def acquire(self) -> bool:
        """Take the lease if it is free or abandoned; True if this process has it now."""
        card = {"owner": self.owner, "pid": self._pid, "started": _process(self._pid), "host": _host()}
        data = json.dumps({**card, "seconds": self.seconds}).encode("utf-8") + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if (self.path.exists() and not self._evict()) or not publish(self.path, data):
                return False
        except FileNotFoundError:  # the owner has just finished and removed the folder
            return False
        threading.Thread(target=self._renew, name=f"lease {self.path.parent.name[:12]}", daemon=True).start()
        return True

    def held(self) -> bool:
        """Whether the lease file is still this owner's."""
        return _read(self.path).get("owner") == self.owner

    def release(self) -> None:
        """Stop renewing, and remove the file if it is still this owner's (and not the parent's of a fork)."""
        self._stop.set()
        if os.getpid() == self._pid and self.held():
            self.path.unlink(missing_ok=True)

    def holder(self) -> str:
        """Who has the lease, in words."""
        card = _read(self.path)
        return f"process {card['pid']} on {card['host']}" if "pid" in card and "host" in card else "another process"

    def _renew(self) -> None:
        while not self._stop.wait(self.seconds / 3):
            try:
                if not self.held():
                    return
                os.utime(self.path)
            except OSError:
                continue  # a hiccup of the file system; the next round tries again

    def _evict(self) -> bool:
        """Remove an abandoned lease; False if it is alive, or another process was faster."""
        try:
            before = self.path.stat()
            card = _read(self.path)
            if not self._abandoned(card, before.st_mtime):
                return False
            grave = self.path.with_name(f".{self.path.name}.{uuid4().hex}.tmp")
            self.path.rename(grave)
        except FileNotFoundError:
            return False
        # Between the look and the rename the owner may have renewed, or a rival may have put its own lease there.
        alive = grave.stat().st_mtime != before.st_mtime or _read(grave) != card
        if alive:
            publish(self.path, grave.read_bytes())
        grave.unlink(missing_ok=True)
        return not alive

    def _abandoned(self, card: dict[str, Any], renewed: float) -> bool:
        if card.get("host") == _host() and isinstance(card.get("pid"), int):
            now_running = _process(card["pid"])
            if now_running == "" or (now_running is not None and now_running != card.get("started")):
                return True
        # The file system's own clock, not this host's: on a network share the two may differ.
        probe = self.path.with_name(f".{self.path.name}.{uuid4().hex}.tmp")
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
        seconds = card.get("seconds")
        return now - renewed > (seconds if isinstance(seconds, int | float) else self.seconds)


def _read(path: Path) -> dict[str, Any]:
    """The lease's card; empty if there is none or it cannot be understood."""
    try:
        card = json.loads(path.read_bytes())
    except (FileNotFoundError, ValueError):
        return {}
    return card if isinstance(card, dict) else {}


@lru_cache(maxsize=1)
def _host() -> str:
    """Host name, boot and process namespace: where a process number means what it says."""
    parts = [socket.gethostname()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    except OSError:
        pass  # not Linux, or not shown here
    return " ".join(parts)


def _process(pid: int) -> str | None:
    """When a process started, in clock ticks since boot; "" if it is gone or a zombie; None if unknown."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return "" if state in "ZX" else fields[18]
    except (FileNotFoundError, ProcessLookupError):
        return "" if Path("/proc/self/stat").exists() else None
    except OSError:
        return None

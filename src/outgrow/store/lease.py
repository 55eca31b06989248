"""Leases: a promise, renewed while its owner lives, that a step is being made by somebody."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from outgrow.core.errors import StoreError
from outgrow.store.files import UNREADABLE, overwrite, passing_name, publish
from outgrow.store.owners import host, is_gone, process_started


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
        about: what the lease is for, for those who look on (`outgrow status`).

    Attributes:
        progress: (done, total), set by the owner; written beside the lease when it is renewed.
    """

    def __init__(self, path: Path, seconds: int | float, about: Mapping[str, Any] | None = None) -> None:
        self.path = path
        self.seconds = seconds
        self.about = dict(about or {})
        self.progress: tuple[int, int] | None = None
        self.owner = uuid4().hex
        self._pid = os.getpid()
        self._stop = threading.Event()

    def acquire(self) -> bool:
        """Take the lease if it is free or abandoned; True if this process has it now."""
        data = json.dumps({**card_of(self.owner, self._pid, self.about), "seconds": self.seconds}).encode() + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.is_symlink() or self.path.is_dir():  # nothing that a process of ours has put there
                self.path.rename(passing_name(self.path))
            if (self.path.exists() and not self._evict()) or not publish(self.path, data):
                return False
        except (FileNotFoundError, FileExistsError):  # the owner has just finished and removed the folder
            return False
        self._progress_file.unlink(missing_ok=True)  # an earlier owner's
        threading.Thread(target=self._renew, name=f"lease {self.path.parent.name[:12]}", daemon=True).start()
        return True

    def held(self) -> bool:
        """Whether the lease file is still this owner's."""
        return read_card(self.path.read_bytes).get("owner") == self.owner

    def release(self) -> None:
        """Stop renewing, and remove the file if it is still this owner's (and not the parent's of a fork)."""
        self._stop.set()
        if os.getpid() == self._pid and self.held():
            self._progress_file.unlink(missing_ok=True)
            self.path.unlink(missing_ok=True)

    def holder(self) -> str:
        """Who has the lease, in words."""
        return who(read_card(self.path.read_bytes))

    def _renew(self) -> None:
        while not self._stop.wait(self.seconds / 3):
            try:
                if not self.held():
                    return
                self._tell_progress()
                os.utime(self.path)
            except OSError:
                continue  # a hiccup of the file system; the next round tries again

    @property
    def _progress_file(self) -> Path:
        return self.path.with_name(f"{self.path.name}.progress")

    def _tell_progress(self) -> None:
        if self.progress is not None:
            overwrite(self._progress_file, self.progress)

    def _evict(self) -> bool:
        """Remove an abandoned lease; False if it is alive, or another process was faster."""
        try:
            before = self.path.stat()
            card = read_card(self.path.read_bytes)
            if not self._abandoned(card, before.st_mtime):
                return False
            grave = passing_name(self.path)
            self.path.rename(grave)
        except FileNotFoundError:
            return False
        # Between the look and the rename the owner may have renewed, or a rival may have put its own lease there.
        alive = grave.stat().st_mtime != before.st_mtime or read_card(grave.read_bytes) != card
        if alive:
            publish(self.path, grave.read_bytes())
        grave.unlink(missing_ok=True)
        return not alive

    def _abandoned(self, card: dict[str, Any], renewed: float) -> bool:
        if owner_is_gone(card):
            return True
        # The file system's own clock, not this host's: on a network share the two may differ.
        probe = passing_name(self.path)
        probe.touch()
        now = probe.stat().st_mtime
        probe.unlink()
        seconds = card.get("seconds")
        promised = seconds if isinstance(seconds, int | float) else self.seconds
        return abs(now - renewed) > promised  # from the future: the clock was set back, and nobody has renewed since


def read_card(read: Callable[[], bytes]) -> dict[str, Any]:
    """A lease's card; empty if there is none or it cannot be understood."""
    try:
        card = json.loads(read())
    except (FileNotFoundError, ValueError):
        return {}
    except OSError as error:
        if error.errno not in UNREADABLE:
            raise
        return {}
    return card if isinstance(card, dict) else {}


def progress_of(raw: Any) -> tuple[int, int] | None:
    """(done, total) as it was told, or None."""
    known = isinstance(raw, list) and len(raw) == 2 and all(isinstance(n, int) for n in raw)
    return (raw[0], raw[1]) if known else None


def card_of(owner: str, pid: int, about: Mapping[str, Any]) -> dict[str, Any]:
    """What stands on a lease: who has it, since when, and what for."""
    own = {"owner": owner, "pid": pid, "started": process_started(pid), "host": host()}
    return {**about, **own, "since": datetime.now(UTC).isoformat(timespec="seconds")}


def who(card: Mapping[str, Any]) -> str:
    """The holder of a lease in words."""
    return f"process {card['pid']} on {card['host']}" if "pid" in card and "host" in card else "another process"


def owner_is_gone(card: Mapping[str, Any]) -> bool:
    """Whether a lease's card names a process of this host that has ended."""
    pid = card.get("pid")
    return card.get("host") == host() and isinstance(pid, int) and is_gone(pid, card.get("started"))

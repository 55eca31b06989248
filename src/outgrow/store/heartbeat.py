"""Leases where there are objects only: no file is touched, renamed or compared by its time."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from outgrow.core.errors import StoreError
from outgrow.store.cache import cache_folder
from outgrow.store.files import overwrite
from outgrow.store.lease import LeaseLostError, card_of, owner_is_gone, read_card, who
from outgrow.store.objects import Objects
from outgrow.store.owners import host

_LEASE = re.compile(r"lease-(\d{6})\.json")


class BeatLease:
    """`work/<key>/lease-<n>.json`, created by who wants the step; the highest n counts.

    The owner renews it by overwriting its own object with a higher beat, every third of its life. Others call it
    abandoned when the beat has not changed for `seconds` of their own clock (or at once when the owner was a process
    of their host and is gone), and take over by creating n + 1, which one of them can. No two hosts' clocks are
    compared. At worst two processes do the same work; results are safe, because only one can be committed.

    Args:
        objects: the store.
        key: the step's.
        seconds: how long the promise holds without renewal.
        about: what the lease is for.

    Attributes:
        number: n, once acquired; 0 before.
        progress: (done, total), set by the owner; told with each renewal.
    """

    def __init__(
        self, objects: Objects, key: str, seconds: int | float, about: Mapping[str, Any] | None = None
    ) -> None:
        self.objects = objects
        self.folder = f"work/{key}"
        self.seconds = seconds
        self.about = dict(about or {})
        self.owner = uuid4().hex
        self.number = 0
        self.progress: tuple[int, int] | None = None
        self._pid = os.getpid()
        self._beat = 0
        self._card: dict[str, Any] = {}
        self._lost = False
        self._confirmed = 0.0
        self._stop = threading.Event()
        self._writing = threading.Lock()

    def acquire(self) -> bool:
        """Take the lease if it is free or abandoned; True if this process has it now.

        Raises:
            NoConditionalCreateError: the backend would give it to two.
            StoreError: the store cannot be written.
        """
        self.objects.prove()
        number, card = highest(self.objects, self.folder)
        if number and not card.get("released") and not self._abandoned(number, card):
            return False
        self._card = card_of(self.owner, self._pid, self.about)
        if not self.objects.create(self._name(number + 1), self._encoded()):
            return False
        self.number = number + 1
        if not self._look():  # somebody who saw older leases than we did has created a higher one
            self.objects.remove(self._name(self.number))
            return False
        with contextlib.suppress(OSError):
            self._watch_file().unlink(missing_ok=True)
        threading.Thread(target=self._renew, name=f"lease {self.folder[5:17]}", daemon=True).start()
        return True

    @property
    def active(self) -> bool:
        """Whether this object has the lease, as far as is known here."""
        return self.number > 0 and not self._lost and not self._stop.is_set()

    def held(self) -> bool:
        """Whether the lease is this owner's; looked up at most ten times in `seconds`.

        A store that cannot be reached at the moment does not tell; a commit has to reach it anyhow (`confirm`).
        """
        if self._lost or self.number == 0:
            return False
        if time.monotonic() - self._confirmed < self.seconds / 10:
            return True
        try:
            return self._look()
        except StoreError:
            return True

    def confirm(self) -> None:
        """Make sure that the lease is this owner's now.

        Raises:
            LeaseLostError: it is not.
            StoreError: the store does not answer.
        """
        if self._lost or not self._look():
            raise LeaseLostError(f"{self.objects.url}/{self.folder}: {self.holder()} has taken this step over")

    def release(self) -> None:
        """Stop renewing and say so; the objects go unless work stays, for which the number is kept.

        A store that cannot be reached finds out by itself: the lease expires.
        """
        self._stop.set()
        if os.getpid() != self._pid or self.number == 0:
            return
        with self._writing, contextlib.suppress(StoreError):
            if self._lost or not self._look():
                return
            names = [name.rpartition("/")[2] for name in self.objects.sizes(self.folder)]
            leases = sorted(f"{self.folder}/{name}" for name in names if _LEASE.fullmatch(name))
            if len(leases) < len(names):
                self._card["released"] = True
                self.objects.write(self._name(self.number), self._encoded())
                leases.remove(self._name(self.number))
            self.objects.remove(*leases)

    def holder(self) -> str:
        """Who has the lease, in words."""
        try:
            return who(highest(self.objects, self.folder)[1])
        except StoreError:
            return "another process"

    def _name(self, number: int) -> str:
        return f"{self.folder}/lease-{number:06d}.json"

    def _encoded(self) -> bytes:
        told = {} if self.progress is None else {"progress": self.progress}
        now = datetime.now(UTC).isoformat(timespec="seconds")  # for people; nobody's decision depends on it
        card = {**self._card, "seconds": self.seconds, "beat": self._beat, "renewed": now, **told}
        return json.dumps(card, sort_keys=True).encode("utf-8") + b"\n"

    def _look(self) -> bool:
        begun = time.monotonic()
        number, card = highest(self.objects, self.folder)
        if number == self.number and card.get("owner") == self.owner:
            self._confirmed = begun
            return True
        self._lost = True
        return False

    def _renew(self) -> None:
        while not self._stop.wait(self.seconds / 3):
            with contextlib.suppress(StoreError):  # unreachable for a moment: the next round tries again
                if not self.beat():
                    return

    def beat(self) -> bool:
        """Renew the lease, unless it was released or lost."""
        with self._writing:
            if self._stop.is_set() or os.getpid() != self._pid or not self._look():
                return False
            self._beat += 1
            self.objects.write(self._name(self.number), self._encoded())
            return True

    def _abandoned(self, number: int, card: Mapping[str, Any]) -> bool:
        seconds = card.get("seconds")
        patience = seconds if isinstance(seconds, int | float) else self.seconds
        return owner_is_gone(card) or self._unchanged_for(number, card) > patience

    def _unchanged_for(self, number: int, card: Mapping[str, Any]) -> float:
        """For how many seconds this host has seen the same beat; noted in a file, because those who wait come and go.

        The clock counts from the start of the host; a note from before that start is from another `host()`.
        """
        seen, now = [number, card.get("owner"), card.get("beat")], time.monotonic()
        note = self._watch_file()
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            known = json.loads(note.read_bytes())
            if known["host"] == host() and known["seen"] == seen and known["since"] <= now:
                return float(now - known["since"])
        note.parent.mkdir(exist_ok=True)
        overwrite(note, {"host": host(), "seen": seen, "since": now})
        return 0.0

    def _watch_file(self) -> Path:
        name = hashlib.sha256(f"{self.objects.url}/{self.folder}".encode()).hexdigest()[:32]
        return cache_folder() / "watched" / f"{name}.json"


def highest(objects: Objects, folder: str) -> tuple[int, dict[str, Any]]:
    """Number and card of the lease that counts; (0, {}) if there is none; an empty card if it cannot be understood."""
    leases = [_LEASE.fullmatch(name.rpartition("/")[2]) for name in objects.sizes(folder)]
    number = max((int(match[1]) for match in leases if match), default=0)
    return number, read_card(lambda: objects.read(f"{folder}/lease-{number:06d}.json")) if number else {}

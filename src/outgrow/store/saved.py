"""Work in progress of a step on another host: copies in the store, from which whoever takes over goes on."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from outgrow.core.errors import StoreError
from outgrow.core.files import sha256_file
from outgrow.store.artefact import StoreWarning
from outgrow.store.files import stays_inside
from outgrow.store.heartbeat import BeatLease
from outgrow.store.objects import Objects

Mark = tuple[int, int, int]
_OWN = re.compile(r"sav(?:e|ed)-(\d{6})[.-].*")
_UPLOAD_SHARE = 10  # of the time between two copies, at most a tenth is spent copying


class Saved:
    """`work/<key>/saved-<n>.json` names the objects `save-<n>-…` that hold the files; n is the lease's number.

    Each owner writes under its own number only, so an owner that was replaced without knowing spoils nothing.

    Args:
        objects: the store.
        folder: `work/<key>`.
        number: the lease's.
    """

    def __init__(self, objects: Objects, folder: str, number: int) -> None:
        self.objects = objects
        self.folder = folder
        self.number = number
        self._marks: dict[str, Mark] = {}
        self._files: dict[str, dict[str, str]] = {}

    def restore(self, target: Path) -> bool:
        """Bring the newest copy into an empty folder; False if there is none, or it is damaged (with a warning)."""
        damage = ""
        for _ in range(2):  # an owner that was replaced may have changed its copy just now
            numbers = [int(m[1]) for m in map(_OWN.fullmatch, self._names()) if m and m[0].startswith("saved-")]
            if not numbers:
                return False
            try:
                files = json.loads(self.objects.read(f"{self.folder}/saved-{max(numbers):06d}.json"))
                for name, facts in files.items():
                    if not stays_inside(name):
                        raise ValueError(f"it names {name!r}, which is not in its folder")
                    if not self.objects.download(f"{self.folder}/{facts['object']}", target / name, facts["sha256"]):
                        raise ValueError(f"{name} has been changed")
                return bool(files)
            except (FileNotFoundError, ValueError, KeyError, TypeError, AttributeError) as error:
                damage = f"{type(error).__name__}: {error}"
                shutil.rmtree(target)
                target.mkdir()
        text = f"the copy of unfinished work in {self.objects.url}/{self.folder} cannot be used ({damage})"
        warnings.warn(f"{text}; the step begins anew", StoreWarning, stacklevel=6)
        return False

    def save(self, source: Path, go_on: Callable[[], bool] = lambda: True) -> None:
        """Copy a folder in use to the store as it is at one moment; what has not changed is not sent again."""
        copies = source.with_name(f"copy-{uuid4().hex}")
        try:
            marks = _at_one_moment(source, copies)
            if marks is None or marks == self._marks or not marks:
                return
            files = {}
            for name, mark in marks.items():
                if self._marks.get(name) == mark:
                    files[name] = self._files[name]
                    continue
                if not go_on():
                    return
                facts = {"object": f"save-{self.number:06d}-{uuid4().hex}", "sha256": sha256_file(copies / name)}
                self.objects.upload(copies / name, f"{self.folder}/{facts['object']}")
                files[name] = facts
        finally:
            shutil.rmtree(copies, ignore_errors=True)
        self.objects.write(f"{self.folder}/saved-{self.number:06d}.json", json.dumps(files).encode("utf-8"))
        self._marks, self._files = marks, files
        kept = {facts["object"] for facts in files.values()} | {f"saved-{self.number:06d}.json"}
        old = [m[0] for m in map(_OWN.fullmatch, self._names()) if m and int(m[1]) <= self.number and m[0] not in kept]
        self.objects.remove(*(f"{self.folder}/{name}" for name in old))

    def _names(self) -> list[str]:
        return [name.rpartition("/")[2] for name in self.objects.sizes(self.folder)]


class Saver:
    """A thread that saves a folder from time to time while a lease is held.

    Args:
        saved: where to.
        source: the folder.
        lease: without it nothing is saved; a third of its `seconds` is the shortest time between two copies.
    """

    def __init__(self, saved: Saved, source: Path, lease: BeatLease) -> None:
        self.saved = saved
        self.source = source
        self.lease = lease
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"saving {lease.folder[5:17]}", daemon=True)
        self._thread.start()

    def stop(self, *, last: bool) -> None:
        """End the thread; with `last`, save what there is now, if the lease is still held."""
        self._stop.set()
        self._thread.join()
        if last:
            with contextlib.suppress(StoreError, OSError):  # what cannot be saved is done again
                self.lease.confirm()
                self.saved.save(self.source)

    def _run(self) -> None:
        pause = self.lease.seconds / 3
        while not self._stop.wait(pause):
            begun = time.monotonic()
            with contextlib.suppress(StoreError, OSError):
                if not self.lease.held():
                    return
                self.saved.save(self.source, lambda: not self._stop.is_set())
            pause = max(self.lease.seconds / 3, _UPLOAD_SHARE * (time.monotonic() - begun))


def _at_one_moment(source: Path, copies: Path) -> dict[str, Mark] | None:
    """Copies of the files of a folder as they were together at one moment; None if it changes all the time.

    A file appears by a rename and does not change, except journals, which grow: of these, the part that was there.
    """
    for _ in range(3):
        shutil.rmtree(copies, ignore_errors=True)
        before = _marks(source)
        try:
            for name, mark in before.items():
                (copies / name).parent.mkdir(parents=True, exist_ok=True)
                if name.endswith(".jsonl"):
                    with (source / name).open("rb") as journal:
                        (copies / name).write_bytes(journal.read(mark[1]))
                else:
                    os.link(source / name, copies / name)
        except FileNotFoundError:
            continue
        after = _marks(source)
        if {name: _fixed(name, mark) for name, mark in before.items()} == {
            name: _fixed(name, mark) for name, mark in after.items()
        }:
            return before
    return None


def _marks(folder: Path) -> dict[str, Mark]:
    found = {}
    for path in sorted(folder.rglob("*")):
        parts = path.relative_to(folder).parts
        if any(part.startswith((".", "new-")) for part in parts):
            continue
        with contextlib.suppress(FileNotFoundError):
            stat = path.stat()
            if path.is_file():
                found["/".join(parts)] = (stat.st_ino, stat.st_size, 0 if path.suffix == ".jsonl" else stat.st_mtime_ns)
    return found


def _fixed(name: str, mark: Mark) -> Mark:
    return (mark[0], 0, 0) if name.endswith(".jsonl") else mark

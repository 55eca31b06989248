"""A store in a local folder, or on a network share that behaves like one."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from outgrow.core.errors import StoreError
from outgrow.store.artefact import (
    MANIFEST,
    Artefact,
    encode_manifest,
    find,
    read_manifest,
    trust,
)
from outgrow.store.backend import Desk, Held, StepUnderWay
from outgrow.store.files import publish, sync
from outgrow.store.lease import Lease, progress_of, read_card

_OF_THE_LEASE = ("lease", "lease.progress")


class Folder:
    """`<key>/manifest.json` and `<key>/attempt-…/` hold results; `work/<key>/` lease and work; `quarantine/` damage.

    Args:
        path: the folder; created when the first step is made.

    Raises:
        StoreError: it is, or would be in, a file.
    """

    patience = 0.5

    def __init__(self, path: Path) -> None:
        self.path = self.disk = path.absolute()
        self.location = str(self.path)
        if not self._existing_parent().is_dir():
            raise StoreError(f"the store cannot be at {self.path}: {self._existing_parent()} is not a folder")

    def _existing_parent(self) -> Path:
        return next(path for path in (self.path, *self.path.parents) if path.exists())

    def writable(self) -> bool:
        """Whether files can be made here, as far as rights tell."""
        return os.access(self._existing_parent(), os.W_OK)

    def prepare(self) -> None:
        """Make the folder."""
        try:
            self.path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(f"the store {self.path} cannot be made: {error}") from error

    def exists(self) -> bool:
        """Whether the folder is there."""
        return self.path.is_dir()

    def find(self, key: str) -> Artefact | None:
        """As `artefact.find`."""
        return find(self.path, key)

    def manifests(self) -> Iterator[tuple[str, bytes]]:
        """Key and manifest of every result, by key."""
        for folder in sorted(self.path.iterdir()) if self.path.is_dir() else []:
            raw = read_manifest(folder / MANIFEST) if re.fullmatch("[0-9a-f]{64}", folder.name) else None
            if raw is not None:
                yield folder.name, raw

    def jobs(self) -> list[StepUnderWay]:
        """The steps on which there is work, by key."""
        found = []
        for folder in sorted((self.path / "work").glob("*/")):
            lease = folder / "lease"
            with contextlib.suppress(FileNotFoundError):  # finished between the two looks
                renewed = datetime.fromtimestamp(lease.stat().st_mtime, UTC) if lease.exists() else None
                card = read_card(lease.read_bytes)
                progress = None
                with contextlib.suppress(FileNotFoundError, ValueError):
                    progress = progress_of(json.loads((folder / "lease.progress").read_bytes()))
                found.append(StepUnderWay(folder.name, card, renewed, progress))
        return found

    def quarantine(self) -> list[str]:
        """Names of what was found damaged and set aside."""
        return sorted(path.name for path in (self.path / "quarantine").glob("*/"))

    def lease(self, key: str, seconds: int | float, about: Mapping[str, Any] | None = None) -> Lease:
        """A lease on a key, not yet acquired."""
        return Lease(self.work_folder(key) / "lease", seconds, about)

    def begin(self, key: str, lease: Held) -> Desk:
        """A desk in `work/<key>/`, and a new attempt."""
        self._sweep(key)
        folder = self.work_folder(key)
        resumed = any(child.name not in _OF_THE_LEASE for child in folder.iterdir())
        out = self.path / key / f"attempt-{uuid4().hex}"
        out.mkdir(parents=True)
        return Desk(key, lease, folder, out, resumed)

    def commit(self, desk: Desk, fields: Mapping[str, Any]) -> Artefact | None:
        """Wait until everything is on disk, then create the manifest."""
        folder = desk.out.parent
        for path in (*sorted(desk.out.rglob("*")), desk.out, folder, self.path):
            sync(path)
        if not publish(folder / MANIFEST, encode_manifest(fields)):
            return None
        artefact = Artefact(desk.key, fields, desk.out)
        with contextlib.suppress(OSError):  # committed: should this not reach the disk, the step is done again
            sync(folder)
            trust(self.path, artefact)
        return artefact

    def committed(self, key: str) -> bool:
        """Whether there is a manifest, sound or not."""
        return (self.path / key / MANIFEST).exists()

    def abandon(self, desk: Desk) -> None:
        """Remove the attempt, unless an error came after its commit; its work stays."""
        with contextlib.suppress(OSError):
            if desk.out.name.encode("ascii") not in (read_manifest(self.path / desk.key / MANIFEST) or b""):
                shutil.rmtree(desk.out, ignore_errors=True)

    def set_work_aside(self, key: str) -> str:
        """Move the work to `quarantine/`."""
        grave = self.path / "quarantine" / f"work-{key[:12]}-{uuid4().hex[:8]}"
        grave.mkdir(parents=True)
        for path in self.work_folder(key).iterdir():
            if path.name not in _OF_THE_LEASE:
                path.rename(grave / path.name)
        return str(grave)

    def finish(self, artefact: Artefact, lease: Held) -> None:
        """Remove what other attempts left, and the work."""
        if lease.held():
            self._sweep(artefact.key, keep=artefact.folder.name, work=True)

    def leave(self, lease: Held, key: str) -> None:
        """Release a lease, and remove the step's two folders if they are empty."""
        with contextlib.suppress(OSError):
            (self.path / key).rmdir()  # still under the lease, so that nobody is about to fill it
        lease.release()
        with contextlib.suppress(OSError):
            self.work_folder(key).rmdir()

    def unswept(self, key: str) -> bool:
        """Whether there is a work folder, which this process may write to."""
        return os.access(self.work_folder(key), os.W_OK)

    def _sweep(self, key: str, keep: str = "", work: bool = False) -> None:
        """Remove what dead processes left: their attempts and temporary files; with `work`, all but the lease."""
        for path in (self.path / key).glob("attempt-*"):
            if path.name != keep:
                shutil.rmtree(path, ignore_errors=True)
        for path in [*(self.path / key).glob(".*.tmp"), *self.work_folder(key).glob("*" if work else ".*.tmp")]:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != "lease":
                with contextlib.suppress(OSError):
                    path.unlink()

    def work_folder(self, key: str) -> Path:
        """Where the work on a step and its lease are."""
        return self.path / "work" / key

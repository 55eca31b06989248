"""Content-addressed results of steps: each is made once, by whoever comes first, and never seen half-written."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import shutil
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import uuid4

from outgrow.errors import SealedError, StoreError
from outgrow.store.artefact import (
    FORMAT,
    MANIFEST,
    Artefact,
    DamageError,
    StoreWarning,
    decode_manifest,
    encode_manifest,
    find,
    read_manifest,
    trust,
)
from outgrow.store.environment import environment, environment_id
from outgrow.store.files import disk_is_full, publish, sha256_file, sync
from outgrow.store.journal import DamagedWorkError
from outgrow.store.keys import Step, plain
from outgrow.store.lease import Lease, LeaseLostError
from outgrow.store.work import Work

_logger = logging.getLogger("outgrow.store")


class StepBusyError(StoreError):
    """Another process is making the step, and the store was told not to wait; `key` is the step's."""

    def __init__(self, text: str, key: str) -> None:
        super().__init__(text, key)
        self.text, self.key = text, key

    def __str__(self) -> str:
        return self.text


@dataclass(frozen=True)
class StepUse:
    """That a step's result was used: an entry of `Store.log`.

    Attributes:
        name: the step's name.
        key: the step's key.
        seconds: how long it took to make, whenever that was (the run that completed it, when it was interrupted).
        cached: whether it was in the store already.
        detail: `meta["detail"]` of the step, or "".
        environment: `environment_id` of where it was made.
    """

    name: str
    key: str
    seconds: float
    cached: bool
    detail: str
    environment: str


class Store:
    """A folder of results, one sub-folder a key; any number of processes may share it.

    `<key>/manifest.json` names the attempt that counts and the SHA-256 of its files; it is created exclusively, once
    all of that is on disk, so readers find a complete result or none. `work/<key>/` holds the lease, journals and
    checkpoints of a step in progress; `quarantine/` what was found damaged.

    Args:
        path: the folder; created when the first step is made.
        lease_seconds: how long a process that cannot be asked may be silent before its step is taken over.
        wait: whether `make` waits for another process that is making the same step, or raises.
        unsealed: whether results whose `meta` says `sealed` (they hold gold labels) may be read.

    Attributes:
        log: each step used through this object, once, in order of first use.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        lease_seconds: int | float = 60,
        wait: bool = True,
        unsealed: bool = False,
    ) -> None:
        self.path = Path(path).absolute()
        self.lease_seconds = lease_seconds
        self.wait = wait
        self.unsealed = unsealed
        self.log: list[StepUse] = []
        self._making: set[tuple[int, str]] = set()
        if not self._existing_parent().is_dir():
            raise StoreError(f"the store cannot be at {self.path}: {self._existing_parent()} is not a folder")

    def get(self, step: Step) -> Artefact | None:
        """The result of a step, or None if it has to be made (with a `StoreWarning` if it was there but damaged).

        Raises:
            StoreError: the store cannot be read.
            SealedError: the result holds gold labels, and this store was not opened for those.
        """
        artefact = find(self.path, step.key)
        return self._use(artefact, cached=True) if artefact is not None else None

    def open(self, key: str) -> Artefact:
        """The result with that key.

        Raises:
            StoreError: there is none, or it is damaged.
            SealedError: as `get`.
        """
        artefact = find(self.path, key) if re.fullmatch("[0-9a-f]{64}", key) else None
        if artefact is None:
            raise StoreError(f"the store {self.path} has no sound result with the key {key!r}; run its step again")
        return self._use(artefact, cached=True)

    def steps(self) -> Iterator[Mapping[str, Any]]:
        """The manifests of all results, by key; files are not looked at, unreadable manifests are passed over."""
        folders = sorted(self.path.iterdir()) if self.path.is_dir() else []
        for folder in folders:
            raw = read_manifest(folder / MANIFEST) if re.fullmatch("[0-9a-f]{64}", folder.name) else None
            if raw is None:
                continue
            try:
                yield decode_manifest(raw, folder.name)
            except DamageError as damage:
                warnings.warn(f"step {folder.name[:12]} in the store is damaged: {damage}", StoreWarning, stacklevel=2)

    def make(self, step: Step, maker: Callable[[Work], None], *, meta: Mapping[str, Any] | None = None) -> Artefact:
        """The result of a step: from the store, or made now.

        When `maker` raises, nothing of its result stays, but its work folder does: the next call goes on from there.

        Args:
            step: what identifies the result.
            maker: puts the result's files into `work.out`. It is called again, with an empty work folder, if
                that folder turns out to be damaged.
            meta: JSON-able facts for readers of the manifest that do not decide the result; `detail` goes to the log.

        Raises:
            StoreError: the disk is full, the store cannot be written, or `maker` left no file.
            StepBusyError: another process is making the step and `wait` is off.
            SealedError: the result holds gold labels, and this store was not opened for those.
        """
        artefact = self.get(step)
        if artefact is not None:
            self._tidy(artefact)
            return artefact
        extra = plain(meta or {}, where=f"step '{step.name}': meta")
        if extra.get("sealed") and not self.unsealed:
            raise SealedError(f"step '{step.name}' is sealed; only a store opened with unsealed=True makes it")
        me = (threading.get_ident(), step.key)
        if me in self._making:
            raise StoreError(f"the maker of step '{step.name}' asks for its own result ({step.key[:12]})")
        self._making.add(me)
        try:
            return self._make(step, maker, extra)
        except StoreError:
            raise
        except Exception as error:
            if disk_is_full(error):
                raise StoreError(
                    f"no space left on the disk of {self.path} while making step '{step.name}' ({step.key[:12]}): "
                    "nothing was committed; free space and run again, finished parts are kept"
                ) from error
            if isinstance(error, OSError) and not os.access(self._existing_parent(), os.W_OK):
                raise StoreError(f"the store {self.path} cannot be written: {error}") from error
            raise
        finally:
            self._making.discard(me)

    def _make(self, step: Step, maker: Callable[[Work], None], meta: Any) -> Artefact:
        pause, waited = 0.01, False
        while True:
            lease = Lease(self._work_folder(step.key) / "lease", self.lease_seconds)
            if lease.acquire():
                try:
                    # Somebody may have committed between the look into the store and the lease, or during the work.
                    artefact = self.get(step) or self._run(step, maker, meta, lease) or self.get(step)
                    if artefact is not None:
                        self._use(artefact, cached=False)
                        if lease.held():
                            self._sweep(step.key, keep=artefact.folder.name, work=True)
                finally:
                    self._leave(lease, step.key)
            else:
                artefact = self.get(step)
                if artefact is None and not self.wait:
                    text = f"step '{step.name}' ({step.key[:12]}) is being made by {lease.holder()}"
                    raise StepBusyError(text, step.key)
            if artefact is not None:
                return artefact
            if not waited:
                _logger.info("waiting for step '%s' (%s), made by %s", step.name, step.key[:12], lease.holder())
            waited = True
            time.sleep(pause)
            pause = min(pause * 1.5, 0.5)

    def _run(
        self, step: Step, maker: Callable[[Work], None], meta: Any, lease: Lease, retry: bool = True
    ) -> Artefact | None:
        """Make and commit under a lease; None if the lease or the race was lost, and the other's result counts."""
        self._sweep(step.key)
        folder = lease.path.parent
        resumed = any(child.name != "lease" for child in folder.iterdir())
        out = self.path / step.key / f"attempt-{uuid4().hex}"
        out.mkdir(parents=True)
        work = Work(folder, out, lease)
        started = time.perf_counter()
        artefact = None
        try:
            maker(work)
            work.close()
            seconds = round(time.perf_counter() - started, 3)
            artefact = self._commit(step, out, {"meta": meta, "resumed": resumed, "seconds": seconds})
            return artefact
        except LeaseLostError:
            return None
        except DamagedWorkError as damage:
            if not retry:
                raise
            work.close()
            self._set_work_aside(step, folder, damage)
            return self._run(step, maker, meta, lease, retry=False)
        except OSError:
            if lease.held() and not (out.parent / MANIFEST).exists():
                raise
            return None  # a rival took the step over or finished it, and has swept this attempt away
        finally:
            work.close()
            if artefact is None:
                shutil.rmtree(out, ignore_errors=True)

    def _commit(self, step: Step, out: Path, facts: Mapping[str, Any]) -> Artefact | None:
        """Write everything to disk, then create the manifest; None if another process has created one."""
        files: dict[str, dict[str, Any]] = {}
        for path in sorted(out.rglob("*")):
            name = path.relative_to(out).as_posix()
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise StoreError(f"step '{step.name}' left '{name}', which is not a plain file; copy its content")
            if path.is_file():
                files[name] = {"sha256": sha256_file(path), "bytes": path.stat().st_size}
            sync(path)
        if not files:
            raise StoreError(f"the maker of step '{step.name}' put no file into work.out; put its result there")
        fields = {
            **step.description,
            **environment(),
            **facts,
            "format": FORMAT,
            "key": step.key,
            "attempt": out.name,
            "files": files,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        folder = out.parent
        for path in (out, folder, self.path):
            sync(path)
        if not publish(folder / MANIFEST, encode_manifest(fields)):
            return None
        artefact = Artefact(step.key, fields, out)
        with contextlib.suppress(OSError):  # committed: should this not reach the disk, the step is done again
            sync(folder)
            trust(self.path, artefact)
        return artefact

    def note(self, uses: Iterable[StepUse]) -> None:
        """Add what another process used, for instance the log of a worker's own `Store`, to this log."""
        known = {use.key for use in self.log}
        self.log += [use for use in uses if use.key not in known]

    def _use(self, artefact: Artefact, *, cached: bool) -> Artefact:
        if artefact.manifest["meta"].get("sealed") and not self.unsealed:
            raise SealedError(
                f"the result {artefact.key[:12]} of step '{artefact.step}' holds gold labels and is sealed; "
                "only a store opened with unsealed=True reads it, and methods are not given one"
            )
        if all(use.key != artefact.key for use in self.log):
            facts = artefact.manifest
            detail = str(facts["meta"].get("detail", ""))
            place = environment_id(facts)
            self.log.append(StepUse(artefact.step, artefact.key, facts["seconds"], cached, detail, place))
        return artefact

    def _sweep(self, key: str, keep: str = "", work: bool = False) -> None:
        """Remove what dead processes left: their attempts and temporary files; with `work`, all but the lease."""
        for path in (self.path / key).glob("attempt-*"):
            if path.name != keep:
                shutil.rmtree(path, ignore_errors=True)
        for path in [*(self.path / key).glob(".*.tmp"), *self._work_folder(key).glob("*" if work else ".*.tmp")]:
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != "lease":
                with contextlib.suppress(OSError):
                    path.unlink()

    def _leave(self, lease: Lease, key: str) -> None:
        """Release a lease, and remove the step's two folders if they are empty."""
        with contextlib.suppress(OSError):
            (self.path / key).rmdir()  # still under the lease, so that nobody is about to fill it
        lease.release()
        with contextlib.suppress(OSError):
            self._work_folder(key).rmdir()

    def _tidy(self, artefact: Artefact) -> None:
        """Finish the sweeping of a process that died right after its commit."""
        folder_of_work = self._work_folder(artefact.key)
        if not os.access(folder_of_work, os.W_OK):
            return  # as nearly always: it is not there
        lease = Lease(folder_of_work / "lease", self.lease_seconds)
        with contextlib.suppress(OSError):
            if lease.acquire():
                try:
                    self._sweep(artefact.key, keep=artefact.folder.name, work=True)
                finally:
                    self._leave(lease, artefact.key)

    def _work_folder(self, key: str) -> Path:
        return self.path / "work" / key

    def _set_work_aside(self, step: Step, folder: Path, damage: DamagedWorkError) -> None:
        grave = self.path / "quarantine" / f"work-{step.key[:12]}-{uuid4().hex[:8]}"
        grave.mkdir(parents=True)
        for path in folder.iterdir():
            if path.name != "lease":
                path.rename(grave / path.name)
        text = f"unfinished work on step '{step.name}' ({step.key[:12]}) is damaged: {damage}"
        warnings.warn(f"{text}; moved to {grave}, the step begins anew", StoreWarning, stacklevel=5)

    def _existing_parent(self) -> Path:
        return next(path for path in (self.path, *self.path.parents) if path.exists())

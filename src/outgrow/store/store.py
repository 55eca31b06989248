"""Content-addressed results of steps: each is made once, by whoever comes first, and never seen half-written."""

from __future__ import annotations

import contextlib
import logging
import os
import re
import threading
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from outgrow.core.errors import SealedError, StoreError
from outgrow.core.files import sha256_file
from outgrow.store.artefact import FORMAT, Artefact, DamageError, StoreWarning, decode_manifest
from outgrow.store.backend import Desk, Held
from outgrow.store.environment import environment, environment_id
from outgrow.store.files import UNREADABLE, disk_is_full
from outgrow.store.journal import DamagedWorkError
from outgrow.store.keys import Step, plain
from outgrow.store.lease import LeaseLostError
from outgrow.store.local import Folder
from outgrow.store.opening import backend_of
from outgrow.store.work import Work

_logger = logging.getLogger("outgrow.store")


class StepBusyError(StoreError):
    """Another process is making the step, and the store was told not to wait; `key` is the step's."""

    def __init__(self, text: str, key: str) -> None:
        super().__init__(text, key)
        self.text, self.key = text, key

    def __str__(self) -> str:
        return self.text


class StepMissingError(StoreError):
    """A step would have to be made, and the store was opened to make none."""


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
    """Results by key, in a folder or behind a URL; any number of processes, on any number of hosts, may share it.

    `<key>/manifest.json` names the attempt that counts and the SHA-256 of its files; it is created exclusively, once
    all of that is written, so readers find a complete result or none. `work/<key>/` holds the lease, journals and
    checkpoints of a step in progress; `quarantine/` what was found damaged.

    Args:
        path: a folder, created when the first step is made; or a URL that obstore understands (`s3://bucket/prefix`)
            and whose backend can create an object only if there is none.
        lease_seconds: how long a process that cannot be asked may be silent before its step is taken over.
        wait: whether `make` waits for another process that is making the same step, or raises.
        makes: whether `make` makes what is not there, or raises.
        unsealed: whether results whose `meta` says `sealed` (they hold gold labels) may be read.
        single_writer: for URLs: the caller promises that one process makes steps, so that a backend without
            conditional create will do; by default whether the environment has `OUTGROW_SINGLE_WRITER=1`.

    Attributes:
        location: the folder or URL.
        log: each step used through this object, once, in order of first use.

    Raises:
        StoreError: there can be no store.
        PrerequisiteError: a package for the URL is not installed.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        lease_seconds: int | float = 60,
        wait: bool = True,
        makes: bool = True,
        unsealed: bool = False,
        single_writer: bool | None = None,
    ) -> None:
        self._place = backend_of(path, single_writer=single_writer)
        self.location = self._place.location
        self.lease_seconds = lease_seconds
        self.wait = wait
        self.makes = makes
        self.unsealed = unsealed
        self.log: list[StepUse] = []
        self._making: set[tuple[int, str]] = set()

    @property
    def path(self) -> Path:
        """The folder.

        Raises:
            StoreError: the store is behind a URL.
        """
        if isinstance(self._place, Folder):
            return self._place.path
        raise StoreError(f"the store {self.location} is not a folder; use its URL (`location`)")

    def prepare(self) -> None:
        """Make sure that results can be put here, before anything long begins.

        Raises:
            StoreError: the folder cannot be made; the bucket is absent, refuses access or has no conditional create.
        """
        self._place.prepare()

    def get(self, step: Step) -> Artefact | None:
        """The result of a step, or None if it has to be made (with a `StoreWarning` if it was there but damaged).

        Raises:
            StoreError: the store cannot be read.
            SealedError: the result holds gold labels, and this store was not opened for those.
        """
        artefact = self._place.find(step.key)
        return self._use(artefact, cached=True) if artefact is not None else None

    def open(self, key: str) -> Artefact:
        """The result with that key.

        Raises:
            StoreError: there is none, or it is damaged.
            SealedError: as `get`.
        """
        artefact = self._place.find(key) if re.fullmatch("[0-9a-f]{64}", key) else None
        if artefact is None:
            raise StoreError(f"the store {self.location} has no sound result with the key {key!r}; run its step again")
        return self._use(artefact, cached=True)

    def steps(self) -> Iterator[Mapping[str, Any]]:
        """The manifests of all results, by key; files are not looked at, unreadable manifests are passed over."""
        for key, raw in self._place.manifests():
            try:
                yield decode_manifest(raw, key)
            except DamageError as damage:
                warnings.warn(f"step {key[:12]} in the store is damaged: {damage}", StoreWarning, stacklevel=2)

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
            StepMissingError: it is not there and `makes` is off.
            SealedError: the result holds gold labels, and this store was not opened for those.
        """
        artefact = self.get(step)
        if artefact is not None:
            self._sweep(artefact)
            return artefact
        if not self.makes:
            raise StepMissingError(f"step '{step.name}' ({step.key[:12]}) is not in the store {self.location}")
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
                    f"no space left on the disk of {self._place.disk} while making step '{step.name}' "
                    f"({step.key[:12]}): nothing was committed; free space and run again, finished parts are kept"
                ) from error
            if isinstance(error, OSError) and isinstance(self._place, Folder) and not self._place.writable():
                raise StoreError(f"the store {self.location} cannot be written: {error}") from error
            raise
        finally:
            self._making.discard(me)

    def _sweep(self, artefact: Artefact) -> None:
        """Finish the sweeping of a process that died right after its commit."""
        with contextlib.suppress(OSError, StoreError):
            if self._place.unswept(artefact.key):
                lease = self._place.lease(artefact.key, self.lease_seconds, {})
                if lease.acquire():
                    try:
                        self._place.finish(artefact, lease)
                    finally:
                        self._place.leave(lease, artefact.key)

    def _make(self, step: Step, maker: Callable[[Work], None], meta: Any) -> Artefact:
        pause, waited = 0.01, False
        about = {"step": step.name, "detail": str(meta.get("detail", ""))}
        while True:
            lease = self._place.lease(step.key, self.lease_seconds, about)
            if lease.acquire():
                try:
                    # Somebody may have committed between the look into the store and the lease, or during the work.
                    artefact = self.get(step) or self._run(step, maker, meta, lease) or self.get(step)
                    if artefact is not None:
                        self._use(artefact, cached=False)
                        self._place.finish(artefact, lease)
                finally:
                    self._place.leave(lease, step.key)
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
            pause = min(pause * 1.5, self._place.patience)

    def _run(self, step: Step, maker: Callable[[Work], None], meta: Any, lease: Held) -> Artefact | None:
        """Make and commit under a lease; None if the lease or the race was lost, and the other's result counts."""
        try:
            return self._attempt(step, maker, meta, lease)
        except DamagedWorkError as damage:
            grave = self._place.set_work_aside(step.key)
            text = f"unfinished work on step '{step.name}' ({step.key[:12]}) is damaged: {damage}"
            warnings.warn(f"{text}; moved to {grave}, the step begins anew", StoreWarning, stacklevel=5)
        return self._attempt(step, maker, meta, lease)

    def _attempt(self, step: Step, maker: Callable[[Work], None], meta: Any, lease: Held) -> Artefact | None:
        desk = self._place.begin(step.key, lease)
        work = Work(desk.dir, desk.out, lease)
        started = time.perf_counter()
        artefact = None
        try:
            maker(work)
            work.close()
            seconds = round(time.perf_counter() - started, 3)
            artefact = self._commit(step, desk, {"meta": meta, "resumed": desk.resumed, "seconds": seconds})
            return artefact
        except LeaseLostError:
            return None
        except OSError as error:
            if error.errno in UNREADABLE and str(error.filename).startswith(str(desk.dir)):
                raise DamagedWorkError(str(error)) from error
            if lease.held() and not self._place.committed(step.key):
                raise
            return None  # a rival took the step over or finished it, and has swept this attempt away
        finally:
            work.close()
            if artefact is None:
                self._place.abandon(desk)

    def _commit(self, step: Step, desk: Desk, facts: Mapping[str, Any]) -> Artefact | None:
        """Create the manifest of what lies in `desk.out`; None if another process has created one."""
        files: dict[str, dict[str, Any]] = {}
        for path in sorted(desk.out.rglob("*")):
            name = path.relative_to(desk.out).as_posix()
            if path.is_symlink() or not (path.is_file() or path.is_dir()):
                raise StoreError(f"step '{step.name}' left '{name}', which is not a plain file; copy its content")
            if path.is_file():
                files[name] = {"sha256": sha256_file(path), "bytes": path.stat().st_size}
        if not files:
            raise StoreError(f"the maker of step '{step.name}' put no file into work.out; put its result there")
        fields = {
            **step.description,
            **environment(),
            **facts,
            "format": FORMAT,
            "key": step.key,
            "attempt": desk.out.name,
            "files": files,
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        return self._place.commit(desk, fields)

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

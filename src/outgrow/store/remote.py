"""A store behind a URL: the protocol of a folder's store with objects, which are created and overwritten only."""

from __future__ import annotations

import contextlib
import re
import shutil
import threading
import warnings
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4
from weakref import WeakValueDictionary

from outgrow.core.errors import StoreError
from outgrow.core.files import sha256_file
from outgrow.store.artefact import (
    MANIFEST,
    Artefact,
    DamageError,
    StoreWarning,
    check_sizes,
    decode_manifest,
    encode_manifest,
    label_of,
)
from outgrow.store.backend import Desk, Held, StepUnderWay
from outgrow.store.cache import cache_folder, scratch
from outgrow.store.heartbeat import BeatLease, highest
from outgrow.store.lease import progress_of
from outgrow.store.objects import Objects
from outgrow.store.saved import Saved, Saver

_AT_ONCE = 16 << 20
"""Files up to this many bytes are brought here and checked when a result is met, larger ones when asked for."""
_SET_ASIDE_SECONDS = 60


class Remote:
    """Results, leases and copies of work are objects; files are read from, and made in, the local cache folder.

    Args:
        url: of the store.
        single_writer: as in `Objects`.
    """

    patience = 2.0

    def __init__(self, url: str, *, single_writer: bool) -> None:
        self.objects = Objects(url, single_writer=single_writer)
        self.location = self.objects.url
        self.disk = cache_folder()
        self._known: dict[str, tuple[bytes, Artefact]] = {}
        self._checked: set[Path] = set()
        self._tidied: set[str] = set()
        self._savers: dict[str, Saver] = {}
        self._leases: WeakValueDictionary[tuple[int, str], BeatLease] = WeakValueDictionary()

    def __reduce__(self) -> Any:
        return partial(Remote, self.location, single_writer=self.objects.single_writer), ()

    def prepare(self) -> None:
        """Try the backend out."""
        self.objects.prove()

    def exists(self) -> bool:
        """Whether there is anything under the URL."""
        return bool(self.objects.names())

    # Reading ---------------------------------------------------------------------------------------------------------

    def find(self, key: str) -> Artefact | None:
        """The result of a key; small files are checked now, sizes of all.

        Raises:
            StoreError: the store cannot be read, or a result is damaged and cannot be set aside.
        """
        try:
            raw = self.objects.read(f"{key}/{MANIFEST}")
        except FileNotFoundError:
            return None
        known = self._known.get(key)
        if known is not None and known[0] == raw:
            return known[1]
        try:
            manifest = decode_manifest(raw, key)
            bring = partial(self._bring, key, raw, manifest)
            artefact = Artefact(key, manifest, self._folder(key, manifest), bring)
            attempt = f"{key}/{manifest['attempt']}"
            sizes = self.objects.sizes(attempt)
            check_sizes(manifest, artefact.files, lambda name: sizes.get(f"{attempt}/{name}"))
            self._fetch(key, manifest, [n for n, facts in manifest["files"].items() if facts["bytes"] <= _AT_ONCE])
        except DamageError as damage:
            self._set_aside(key, raw, str(damage))
            return None
        self._known[key] = (raw, artefact)
        return artefact

    def manifests(self) -> Iterator[tuple[str, bytes]]:
        """Key and manifest of every result, by key."""
        keys = [name for name in self.objects.names() if re.fullmatch("[0-9a-f]{64}", name)]
        found = self.objects.read_many([f"{key}/{MANIFEST}" for key in keys])
        for key in keys:
            if f"{key}/{MANIFEST}" in found:
                yield key, found[f"{key}/{MANIFEST}"]

    def _folder(self, key: str, manifest: Mapping[str, Any]) -> Path:
        return self.disk / "results" / key / str(manifest["attempt"])

    def _bring(self, key: str, raw: bytes, manifest: Mapping[str, Any], names: Sequence[str]) -> None:
        """Have files in the cache; what turns out to be damaged is set aside, so that the step can be done again."""
        try:
            self._fetch(key, manifest, names)
        except DamageError as damage:
            self._set_aside(key, raw, str(damage))
            raise

    def _fetch(self, key: str, manifest: Mapping[str, Any], names: Sequence[str]) -> None:
        folder = self._folder(key, manifest)
        for name in names:
            facts, target = manifest["files"][name], folder / name
            there = target.is_file() and target.stat().st_size == facts["bytes"]
            if there and (target in self._checked or sha256_file(target) == facts["sha256"]):
                self._checked.add(target)
                continue
            source = f"{key}/{manifest['attempt']}/{name}"
            try:  # twice: the bytes may have been lost on the way
                if not any(self.objects.download(source, target, facts["sha256"]) for _ in range(2)):
                    raise DamageError(f"file '{name}' has been changed since it was written")
            except FileNotFoundError as error:
                raise DamageError(f"file '{name}' is missing") from error
            self._checked.add(target)

    def _set_aside(self, key: str, raw: bytes, damage: str) -> None:
        """Move a damaged result to `quarantine/`, under the step's lease, so that no sound one is taken for it."""
        label = label_of(key, raw)
        grave = f"quarantine/{key[:12]}-{uuid4().hex[:8]}"
        mine = self._leases.get((threading.get_ident(), key))
        lease = mine if mine is not None and mine.active else BeatLease(self.objects, key, _SET_ASIDE_SECONDS)
        try:
            if lease is not mine and not lease.acquire():
                return  # its holder sees to it
            try:
                with contextlib.suppress(FileNotFoundError):
                    if self.objects.read(f"{key}/{MANIFEST}") != raw:
                        return
                    self.objects.write(f"{grave}/{MANIFEST}", raw)
                    self.objects.remove(f"{key}/{MANIFEST}")
                    self._known.pop(key, None)
                self._move(key, grave)
            finally:
                if lease is not mine:
                    lease.release()
        except StoreError as error:
            raise StoreError(f"{label} is damaged ({damage}) and cannot be set aside: {error}") from error
        text = f"{label} in the store is damaged: {damage}; moved to {self.location}/{grave}"
        warnings.warn(f"{text}, the step has to be done again", StoreWarning, stacklevel=5)

    def _move(self, prefix: str, target: str, but: str = "\0") -> None:
        for name in self.objects.sizes(prefix):
            rest = name.removeprefix(f"{prefix}/")
            if not rest.startswith(but):
                with contextlib.suppress(FileNotFoundError):
                    self.objects.copy(name, f"{target}/{rest}")
                self.objects.remove(name)

    def jobs(self) -> list[StepUnderWay]:
        """The steps on which there is work, by key."""
        found = []
        for key in sorted({name.split("/")[1] for name in self.objects.sizes("work") if name.count("/") > 1}):
            card = highest(self.objects, f"work/{key}")[1]
            renewed = None
            with contextlib.suppress(KeyError, TypeError, ValueError):
                renewed = datetime.fromisoformat(card["renewed"])
            found.append(StepUnderWay(key, card, renewed, progress_of(card.get("progress"))))
        return found

    def quarantine(self) -> list[str]:
        """Names of what was found damaged and set aside."""
        return sorted({name.split("/")[1] for name in self.objects.sizes("quarantine")})

    # Making ----------------------------------------------------------------------------------------------------------

    def lease(self, key: str, seconds: int | float, about: Mapping[str, Any] | None = None) -> BeatLease:
        """A lease on a key, not yet acquired."""
        lease = self._leases[threading.get_ident(), key] = BeatLease(self.objects, key, seconds, about)
        return lease

    def begin(self, key: str, lease: Held) -> Desk:
        """A desk in a scratch folder of this process, with the newest copy of earlier work."""
        assert isinstance(lease, BeatLease)
        folder = scratch()
        work, out = folder / "work", folder / f"attempt-{uuid4().hex}"
        work.mkdir()
        out.mkdir()
        saved = Saved(self.objects, f"work/{key}", lease.number)
        try:
            resumed = saved.restore(work)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._savers[out.name] = Saver(saved, work, lease)
        return Desk(key, lease, work, out, resumed)

    def commit(self, desk: Desk, fields: Mapping[str, Any]) -> Artefact | None:
        """Send the files, then create the manifest if the lease is still this process's."""
        assert isinstance(desk.lease, BeatLease)
        desk.lease.confirm()
        attempt = f"{desk.key}/{desk.out.name}"
        for name in fields["files"]:
            self.objects.upload(desk.out / name, f"{attempt}/{name}")
        desk.lease.confirm()
        raw = encode_manifest(fields)
        if not self.objects.create(f"{desk.key}/{MANIFEST}", raw):
            return None
        self._savers.pop(desk.out.name).stop(last=False)
        folder = self._folder(desk.key, fields)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):  # another on this host has met the result and is bringing it here
            desk.out.replace(folder)
            self._checked.update(folder / name for name in fields["files"])
        shutil.rmtree(desk.dir.parent, ignore_errors=True)
        artefact = Artefact(desk.key, fields, folder, partial(self._bring, desk.key, raw, fields))
        self._known[desk.key] = (raw, artefact)
        return artefact

    def committed(self, key: str) -> bool:
        """Whether there is a manifest, sound or not."""
        return bool(self.objects.read_many([f"{key}/{MANIFEST}"]))

    def abandon(self, desk: Desk) -> None:
        """Save the work and remove the attempt, unless an error came after its commit."""
        saver = self._savers.pop(desk.out.name, None)
        if saver is not None:
            saver.stop(last=True)
        shutil.rmtree(desk.dir.parent, ignore_errors=True)
        manifest = f"{desk.key}/{MANIFEST}"
        with contextlib.suppress(StoreError):
            if desk.out.name.encode("ascii") not in self.objects.read_many([manifest]).get(manifest, b""):
                self.objects.remove(*self.objects.sizes(f"{desk.key}/{desk.out.name}"))

    def set_work_aside(self, key: str) -> str:
        """Move the copies of the work to `quarantine/`."""
        grave = f"quarantine/work-{key[:12]}-{uuid4().hex[:8]}"
        self._move(f"work/{key}", grave, but="lease-")
        return f"{self.location}/{grave}"

    def finish(self, artefact: Artefact, lease: Held) -> None:
        """Remove what other attempts left, which can no longer be committed, and the work."""
        with contextlib.suppress(StoreError):
            assert isinstance(lease, BeatLease)
            lease.confirm()
            kept = (f"{artefact.key}/{MANIFEST}", f"{artefact.key}/{artefact.folder.name}/")
            self.objects.remove(*(n for n in self.objects.sizes(artefact.key) if not n.startswith(kept)))
            work = f"work/{artefact.key}"
            self.objects.remove(*(n for n in self.objects.sizes(work) if not n.startswith(f"{work}/lease-")))
            self._tidied.add(artefact.key)

    def leave(self, lease: Held, key: str) -> None:
        """Release a lease."""
        lease.release()

    def unswept(self, key: str) -> bool:
        """Whether there are objects of the work; looked up once."""
        if key in self._tidied:
            return False
        if self.objects.sizes(f"work/{key}"):
            return True
        self._tidied.add(key)
        return False

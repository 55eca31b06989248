"""Committed results: reading them, telling whether they are what was written, and setting damage aside."""

from __future__ import annotations

import errno
import hashlib
import json
import re
import stat
import time
import warnings
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa

from outgrow.core.errors import StoreError
from outgrow.core.files import sha256_file
from outgrow.store.files import UNREADABLE, publish, read_table, stays_inside
from outgrow.store.keys import canonical_json

FORMAT = 1
MANIFEST = "manifest.json"
_SETTLING_SECONDS = 1.0
# What this process has read and found right: manifest path -> (signature of the manifest file, artefact).
_verified: dict[Path, tuple[tuple[int, int, int], Artefact]] = {}


class StoreWarning(UserWarning):
    """Something in the store was damaged and has been set aside; the step is done again."""


class DamageError(Exception):
    """Internal: what is wrong with an artefact."""


@dataclass(frozen=True, eq=False)
class Artefact:
    """The result of a step: files that were all there, and all right, when this process first met it.

    Attributes:
        key: the step's key.
        manifest: what the step was, its files with size and SHA-256, when and where it was made.
        folder: where the files are; ask `path` for one of them.
        fetch: brings files, by name, into the folder where they are not always there: a store behind a URL.
    """

    key: str
    manifest: Mapping[str, Any]
    folder: Path
    fetch: Callable[[Sequence[str]], None] | None = None

    @property
    def step(self) -> str:
        """The step's name."""
        return str(self.manifest["step"])

    @property
    def files(self) -> tuple[str, ...]:
        """Names of the files, in order; sub-folders are written with `/`."""
        return tuple(self.manifest["files"])

    def path(self, file: str) -> Path:
        """Where a file is, or a sub-folder that holds some; from a URL it is brought here and checked first.

        Raises:
            StoreError: the manifest does not know the file, or it has been damaged since the artefact was opened.
        """
        names = [name for name in self.files if name == file or name.startswith(f"{file}/")]
        if not names:
            raise StoreError(f"step '{self.step}' ({self.key[:12]}) has no file '{file}'; it has {list(self.files)}")
        try:
            if self.fetch is not None:
                self.fetch(names)
            check_sizes(self.manifest, names, self._size)
        except DamageError as damage:
            raise StoreError(f"step '{self.step}' ({self.key[:12]}): {damage}; run again to redo the step") from damage
        return self.folder / file

    def _size(self, file: str) -> int | None:
        path = self.folder / file
        try:
            status = path.lstat()
        except OSError as error:
            if error.errno not in {errno.ENOENT, *UNREADABLE}:
                raise
            return None
        inside = self.folder.parent.resolve() / self.folder.name / file
        if not stat.S_ISREG(status.st_mode) or path.parent.resolve() != inside.parent:
            raise DamageError(f"'{file}' is no file, or a link")
        return status.st_size

    def table(self, file: str = "table.parquet") -> pa.Table:
        """A Parquet file of the artefact as a table."""
        return read_table(self.path(file))

    def json(self, file: str) -> Any:
        """The content of a JSON file of the artefact."""
        return json.loads(self.path(file).read_bytes())


def encode_manifest(fields: Mapping[str, Any]) -> bytes:
    """The bytes of a manifest: canonical JSON with the digest of all other fields in the field `digest`."""
    digest = hashlib.sha256(canonical_json(fields).encode("ascii")).hexdigest()
    return canonical_json({**fields, "digest": digest}).encode("ascii") + b"\n"


def decode_manifest(raw: bytes, key: str) -> dict[str, Any]:
    """The fields of a manifest.

    Raises:
        DamageError: the bytes are not what was written, or belong to another key.
        StoreError: a newer outgrow wrote them.
    """
    try:
        manifest = json.loads(raw)
        digest = manifest.pop("digest")
        intact = digest == hashlib.sha256(canonical_json(manifest).encode("ascii")).hexdigest()
    except Exception as error:
        raise DamageError(f"{MANIFEST} cannot be read ({type(error).__name__}: {error})") from error
    if not intact:
        raise DamageError(f"{MANIFEST} has been changed since it was written")
    if manifest["format"] != FORMAT:
        raise StoreError(
            f"step {key[:12]} is in store format {manifest['format']}, this outgrow reads {FORMAT}; "
            "use the newer outgrow or another store folder"
        )
    if manifest["key"] != key:
        raise DamageError(f"{MANIFEST} belongs to the step {manifest['key'][:12]}")
    for name in (str(manifest["attempt"]), *manifest["files"]):
        if not stays_inside(name):
            raise DamageError(f"{MANIFEST} names {name!r}, which is not in its folder")
    return dict(manifest)


def read_manifest(path: Path) -> bytes | None:
    """A manifest's bytes, or None; one whose end is missing gets a moment to be completed (see `publish`).

    What is no file any more has no bytes: b"", which is no manifest either.
    """
    deadline = time.monotonic() + _SETTLING_SECONDS
    while True:
        try:
            raw = path.read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            if error.errno not in UNREADABLE:
                raise
            return b""
        if raw.endswith(b"}\n") or time.monotonic() > deadline:
            return raw
        time.sleep(0.02)


def find(root: Path, key: str) -> Artefact | None:
    """The artefact of a key, or None if there is none; a damaged one is set aside with a `StoreWarning`.

    Every byte is checked when this process first meets the artefact; later calls look at file sizes only.

    Raises:
        StoreError: the artefact cannot be read, or is damaged and cannot be set aside.
    """
    path = root / key / MANIFEST
    raw = None
    try:
        known = _verified.get(path)
        if known is not None and known[0] == _signature(path):
            artefact = known[1]
            check_sizes(artefact.manifest, artefact.files, artefact._size)
            return artefact
        raw = read_manifest(path)
        if raw is None:
            return None
        signature = _signature(path)
        manifest = decode_manifest(raw, key)
        artefact = Artefact(key, manifest, root / key / manifest["attempt"])
        _check_content(artefact)
    except FileNotFoundError:
        return None
    except PermissionError as error:
        raise StoreError(f"the store may not be read: {error}") from error
    except DamageError as damage:
        _verified.pop(path, None)
        _set_aside(root, key, raw if raw is not None else read_manifest(path), str(damage))
        return None
    _verified[path] = (signature, artefact)
    return artefact


def trust(root: Path, artefact: Artefact) -> None:
    """Note that this process has just written the artefact itself, so that it need not read it again."""
    path = root / artefact.key / MANIFEST
    _verified[path] = (_signature(path), artefact)


def label_of(key: str, raw: bytes | None) -> str:
    """What to call a step whose manifest may be damaged."""
    name = re.search(rb'"step":"([^"]*)"', raw or b"")
    return f"step '{name[1].decode('utf-8', 'replace')}' ({key[:12]})" if name else f"step {key[:12]}"


def _signature(path: Path) -> tuple[int, int, int]:
    try:
        status = path.lstat()
    except OSError as error:
        if error.errno not in UNREADABLE:
            raise
        return 0, 0, 0
    return status.st_ino, status.st_mtime_ns, status.st_size


def check_sizes(manifest: Mapping[str, Any], names: Iterable[str], size_of: Callable[[str], int | None]) -> None:
    """Compare sizes of files, None where there is no file, with what the manifest says of them.

    Raises:
        DamageError: one is missing, or has another size.
    """
    for name in names:
        expected, size = manifest["files"][name]["bytes"], size_of(name)
        if size is None:
            raise DamageError(f"file '{name}' is missing")
        if size != expected:
            raise DamageError(f"file '{name}' has {size} bytes instead of {expected}")


def _check_content(artefact: Artefact) -> None:
    check_sizes(artefact.manifest, artefact.files, artefact._size)
    for name, expected in artefact.manifest["files"].items():
        try:
            digest = sha256_file(artefact.folder / name)
        except OSError as error:
            if error.errno not in UNREADABLE:
                raise
            raise DamageError(f"file '{name}' cannot be read from the disk") from error
        if digest != expected["sha256"]:
            raise DamageError(f"file '{name}' has been changed since it was written")


def _set_aside(root: Path, key: str, raw: bytes | None, damage: str) -> None:
    """Move a damaged artefact to `quarantine/`, unless another process has just done so or put a sound one there."""
    folder = root / key
    label = label_of(key, raw)
    grave = root / "quarantine" / f"{key[:12]}-{uuid4().hex[:8]}"
    try:
        attempts = list(folder.glob("attempt-*"))
        grave.mkdir(parents=True)
        (folder / MANIFEST).rename(grave / MANIFEST)
        current = read_manifest(grave / MANIFEST)
        if current and current != raw:
            publish(folder / MANIFEST, current)
            (grave / MANIFEST).unlink()
            grave.rmdir()
            return
        for attempt in attempts:
            attempt.rename(grave / attempt.name)
    except FileNotFoundError:
        if grave.is_dir() and not any(grave.iterdir()):
            grave.rmdir()
        return
    except OSError as error:
        raise StoreError(f"{label} is damaged ({damage}) and cannot be set aside: {error}; remove {folder}") from error
    text = f"{label} in the store is damaged: {damage}; moved to {grave}, the step has to be done again"
    warnings.warn(text, StoreWarning, stacklevel=4)

"""Files that appear complete or not at all, and their hashes."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import IO, Any

from outgrow.core.errors import DataError, OutgrowError

FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
REFUSALS = {*FULL, errno.EACCES, errno.EIO, errno.ELOOP, errno.EMFILE, errno.ENAMETOOLONG, errno.EPERM, errno.EROFS}
"""Errors of the system that say something about files or the machine and nothing about this program."""


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A file to write to, moved to `path` when the block ends well; else `path` stays as it was.

    Raises:
        DataError: the folder does not exist or cannot be written to, or a folder has that name.
        OutgrowError: the disk is full; nothing was written.
    """
    temporary: Path | None = None
    try:
        if not path.parent.is_dir():
            raise DataError(f"{path}: the folder '{path.parent}' does not exist; create it first")
        if path.is_dir():
            raise DataError(f"{path}: a folder of this name is in the way")
        target = path.resolve() if path.is_symlink() else path
        temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
        with temporary.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(target)
    except OSError as error:
        if error.errno in FULL:
            raise OutgrowError(f"{path}: no space left; nothing was written. Free space and run again") from error
        raise DataError(f"{path}: cannot be written ({error.strerror or error})") from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def make_folder(path: Path) -> None:
    """A folder for results, before anything long begins.

    Raises:
        DataError: it cannot be made.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise DataError(f"the folder {path} cannot be made: {error.strerror or error}; choose another") from error


def write_json(value: Any, path: Path) -> None:
    """Indented JSON with sorted keys; refuses NaN."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False)
    with whole_file(path) as file:
        file.write(text.encode("utf-8") + b"\n")


def sha256_file(path: Path) -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def file_hash(path: Path) -> str:
    """`sha256_file`, remembered for as long as the file's size and time of change stay the same."""
    stat = path.stat()
    return _hash_at(path, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=512)
def _hash_at(path: Path, size: int, changed: int) -> str:
    return sha256_file(path)

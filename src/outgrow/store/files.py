"""Files that appear whole or not at all, with bytes that depend on their content only."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from outgrow.store.keys import canonical_json

_NO_LINKS = {errno.EPERM, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EMLINK}
_FULL = {errno.ENOSPC, errno.EDQUOT}
_FULL_TEXTS = ("no space left on device", "disk quota exceeded", f"os error {errno.ENOSPC}")


UNREADABLE = {errno.ELOOP, errno.EISDIR, errno.ENOTDIR, errno.EIO}
"""What the system says of a file of ours that is a file no more, or that the disk has lost."""


def stays_inside(name: str) -> bool:
    """Whether a file's name, parts parted by `/`, leads into the folder that it is relative to and nowhere else."""
    parts = name.split("/")
    return not {"", ".", ".."} & set(parts) and not {"\\", "\0"} & set(name)


def passing_name(path: Path) -> Path:
    """A name beside `path`, for what becomes it or goes; such files of dead processes are swept away."""
    return path.with_name(f".{path.name}.{uuid4().hex}.tmp")


def overwrite(path: Path, value: Any) -> None:
    """Create or replace a small file of JSON that readers find whole."""
    fresh = passing_name(path)
    fresh.write_text(json.dumps(value), "utf-8")
    fresh.replace(path)


def publish(path: Path, data: bytes) -> bool:
    """Create `path` with exactly `data`, unless it exists; False if it does.

    The bytes are complete and on disk before the name appears. File systems without hard links get the name
    first (exclusively all the same) and then the bytes; `read_manifest` gives those a moment to arrive.
    """
    temporary = passing_name(path)
    try:
        _write_new(temporary, data)
        os.link(temporary, path)
    except FileExistsError:
        # Network file systems may link and lose the reply; the data names its writer, so equal means ours.
        with contextlib.suppress(FileNotFoundError):
            return path.read_bytes() == data
        return False
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        try:
            _write_new(path, data)
        except FileExistsError:
            return False
    finally:
        temporary.unlink(missing_ok=True)
    return True


def _write_new(path: Path, data: bytes) -> None:
    with path.open("xb", buffering=0) as file:
        try:
            view = memoryview(data)
            while view:
                view = view[file.write(view) :]
            os.fsync(file.fileno())
        except BaseException:
            path.unlink()
            raise


def sync(path: Path) -> None:
    """Wait until a file's bytes, or a folder's names, are on disk."""
    if path.is_dir() and os.name != "posix":
        return  # only POSIX systems can open a folder
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def write_table(table: pa.Table, path: Path) -> None:
    """Parquet whose bytes depend on schema, values and row order only, not on how the table is cut into chunks."""
    metadata = table.schema.metadata
    if metadata:
        table = table.replace_schema_metadata(dict(sorted(metadata.items())))
    pq.write_table(table.combine_chunks(), path, compression="zstd", version="2.6", row_group_size=1 << 17)


def read_table(path: Path) -> pa.Table:
    """A Parquet file as a table, metadata included; parent folders named `a=b` add no columns."""
    with pq.ParquetFile(path) as file:
        return file.read()


def write_json(value: Any, path: Path) -> None:
    """Canonical JSON and a final newline.

    Raises:
        ConfigError: `value` has no canonical JSON, for instance because it holds NaN.
    """
    path.write_bytes(canonical_json(value, where=path.name).encode("ascii") + b"\n")


def disk_is_full(error: BaseException) -> bool:
    """Whether an error, or one that it was raised from, says that the disk or the quota is used up."""
    seen: BaseException | None = error
    while seen is not None:
        if isinstance(seen, OSError) and seen.errno in _FULL:
            return True
        if any(text in str(seen).lower() for text in _FULL_TEXTS):
            return True
        seen = seen.__cause__ or seen.__context__
    return False

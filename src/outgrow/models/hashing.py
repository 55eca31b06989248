"""SHA-256 of files, read once."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path


def file_hash(file: Path) -> str:
    """Hex SHA-256 of a file, remembered for as long as its size and time of change stay the same."""
    stat = file.stat()
    return _hash(file, stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=512)
def _hash(file: Path, size: int, changed: int) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()

"""Append-only journals: the records of a step in progress survive a kill at any moment."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from outgrow.core.errors import StoreError
from outgrow.store.files import passing_name, sync
from outgrow.store.keys import canonical_json

_DIGEST = 16
_HEAD = len('{"d":"') + _DIGEST + len('","r":')


class DamagedWorkError(StoreError):
    """Something in a step's work folder cannot be trusted: the step has to be done again from its start.

    A maker may raise it too, for a checkpoint that it cannot read. `Store.make` sets the work folder aside, warns and
    calls the maker once more.
    """


class Journal:
    """Records in a JSON Lines file, one `{"d": digest, "r": record}` a line, each on disk when `append` returns.

    The digest covers the record and, in a chain, all records before it. On opening, a last line that is torn (or
    whose digest is wrong) is dropped; anything wrong further up is damage. The file is copied when it is opened, so
    that a process which lost its lease without knowing keeps writing to a file that nobody reads.

    Args:
        path: the file; created when missing, its folder must exist.
        check: called before each append; raises when the caller may no longer write.

    Raises:
        DamagedWorkError: a line that is not the last one is not what was written.
    """

    def __init__(self, path: Path, check: Callable[[], None] | None = None) -> None:
        self.path = path
        self._check = check
        self._lock = threading.Lock()
        self._digest = b""
        self._size = 0
        self._count = 0
        temporary = passing_name(path)
        self._file: BinaryIO = temporary.open("xb", buffering=0)
        self._reader: BinaryIO = temporary.open("rb")
        self._closing = weakref.finalize(self, _close, self._file, self._reader)
        try:
            if path.is_symlink() or path.exists():
                if path.is_symlink() or not path.is_file():
                    raise DamagedWorkError(f"{path} is no file, or a link")
                with path.open("rb") as old:
                    self._copy(old)
                os.fsync(self._file.fileno())
            temporary.replace(path)
            sync(path.parent)
        except BaseException:
            self.close()
            temporary.unlink(missing_ok=True)
            raise

    def _copy(self, old: BinaryIO) -> None:
        for number, line in enumerate(old, start=1):
            record = line[_HEAD:-2]
            if not line.endswith(b"\n") or line != self._line(record):
                if old.readline():
                    raise DamagedWorkError(f"{self.path}: line {number} is not what was written")
                return
            self._write(line)

    def _line(self, record: bytes) -> bytes:
        digest = hashlib.sha256(self._digest + record).hexdigest()[:_DIGEST].encode("ascii")
        return b'{"d":"' + digest + b'","r":' + record + b"}\n"

    def _write(self, line: bytes) -> None:
        view = memoryview(line)
        while view:
            view = view[self._file.write(view) :]
        self._digest = line[_HEAD - 6 - _DIGEST : _HEAD - 6]
        self._size += len(line)
        self._count += 1

    def append(self, record: Any) -> None:
        """Add one JSON-able record (NaN and infinities allowed; tuples come back as lists) and wait for the disk.

        Raises:
            ConfigError: the record would not come back as it is, for instance for keys that are not text.
            OSError: the disk refused; the journal is as before the call.
        """
        text = canonical_json(record, finite=False, where=f"record {len(self)} of journal {self.path.name}")
        with self._lock:
            if self._check is not None:
                self._check()
            before = (self._digest, self._size, self._count)
            try:
                self._write(self._line(text.encode("ascii")))
                os.fsync(self._file.fileno())
            except BaseException:
                self._digest, self._size, self._count = before
                try:
                    self._file.seek(self._size)
                    self._file.truncate()
                except OSError:
                    self._file.close()  # nothing may follow a line that could not be taken back
                raise

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[Any]:
        """The records that are there when the iteration begins, oldest first."""
        position, end = 0, self._size
        while position < end:
            with self._lock:
                self._reader.seek(position)
                line = self._reader.readline()
            position += len(line)
            yield json.loads(line[_HEAD:-2])

    def close(self) -> None:
        """Close the file; the records stay. Happens by itself when the journal is no longer referred to."""
        self._closing()


def _close(*files: BinaryIO) -> None:
    for file in files:
        file.close()

"""What the maker of a step works with: a folder that lasts, journals, and a folder that becomes the result."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa

from outgrow.core.errors import StoreError
from outgrow.store.backend import Held
from outgrow.store.files import stays_inside, write_json, write_table
from outgrow.store.journal import Journal
from outgrow.store.lease import LeaseLostError


class Work:
    """A step in progress.

    Attributes:
        dir: survives crashes and is the same when the step is taken up again: journals and checkpoints live here.
            The names `lease` and `lease.progress` are taken. A file here is a journal, or appears whole by a rename
            (from a name, or in a folder, that begins with `.` or `new-`), so that it may be copied at any moment.
        out: empty at first; the files put here, sub-folders included, are the result.
    """

    def __init__(self, dir: Path, out: Path, lease: Held) -> None:
        self.dir = dir
        self.out = out
        self._lease = lease
        self._journals: dict[str, Journal] = {}

    def check(self) -> None:
        """Make sure that the step is still this process's to make; journals do so before each append.

        Raises:
            LeaseLostError: another process has taken over. Let it pass: `Store.make` then waits for that process.
        """
        if not self._lease.held():
            raise LeaseLostError(f"{self.dir}: {self._lease.holder()} has taken this step over")

    def journal(self, name: str) -> Journal:
        """The journal of that name, with the records of earlier, interrupted work on this step.

        Raises:
            DamagedWorkError: it is damaged before its last line; let it pass, the step is then done from its start.
            StoreError: `name` is not letters, digits, `-` and `_`.
        """
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise StoreError(f"a journal cannot be called {name!r}; use letters, digits, - and _")
        if name not in self._journals:
            self._journals[name] = Journal(self.dir / f"{name}.jsonl", self.check)
        return self._journals[name]

    def progress(self, done: int, total: int) -> None:
        """Let those who look on (`outgrow status`) know how far the step is, in whatever it counts."""
        self._lease.progress = (done, total)

    def telling(self, report: Callable[[int, int], None]) -> Callable[[int, int], None]:
        """`report`, which from now on is heard by those who look on, too."""

        def tell(done: int, total: int) -> None:
            self.progress(done, total)
            report(done, total)

        return tell

    def save_table(self, table: pa.Table, file: str = "table.parquet") -> None:
        """Put a table into the result as Parquet; equal tables give equal bytes."""
        write_table(table, self._target(file))

    def save_json(self, value: Any, file: str) -> None:
        """Put a JSON-able value into the result; equal values give equal bytes, NaN is refused (`ConfigError`)."""
        write_json(value, self._target(file))

    def close(self) -> None:
        """Close the journals."""
        for journal in self._journals.values():
            journal.close()
        self._journals.clear()

    def _target(self, file: str) -> Path:
        if not stays_inside(file):
            raise StoreError(f"a result file cannot be called {file!r}; use a name inside the result's folder")
        target = self.out / file
        target.parent.mkdir(parents=True, exist_ok=True)
        return target

"""What separates the cells of a text file."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

SEPARATORS = {",": "commas", ";": "semicolons", "\t": "tabs", "|": "vertical bars"}
LOOKED_AT = 1 << 16
"""Bytes at the beginning of a file."""


@dataclass(frozen=True)
class Dialect:
    """How a file's rows are written.

    Attributes:
        separator: between cells, one of `SEPARATORS`.
        declared: whether the first line is `sep=` and the separator, as spreadsheets write it.
    """

    separator: str = ","
    declared: bool = False

    @property
    def name(self) -> str:
        """What the separators are called."""
        return SEPARATORS[self.separator]


def dialect(path: Path) -> Dialect:
    """What a file's first line says, else the separator that makes most columns, the same number in every row.

    A file of one column is read as separated by commas.
    """
    with path.open("rb") as file:
        text = file.read(LOOKED_AT).decode("utf-8", errors="replace").removeprefix("\ufeff")
    first = text.split("\n", 1)[0].rstrip("\r")
    if first.lower().startswith("sep=") and first[4:] in SEPARATORS:
        return Dialect(first[4:], declared=True)
    lines = text.splitlines(keepends=True)
    if len(text) >= LOOKED_AT and len(lines) > 1:
        lines.pop()  # it may be cut
    best = max(SEPARATORS, key=lambda separator: _fit(lines, separator))
    return Dialect(best if _fit(lines, best) else ",")


def _fit(lines: list[str], separator: str) -> float:
    """How many columns a separator makes, times the share of rows that have as many as the header; 0 for one column."""
    try:
        widths = [len(row) for row in islice(csv.reader(lines, delimiter=separator), 30) if row]
    except csv.Error:
        return 0.0
    if not widths or widths[0] < 2:
        return 0.0
    return widths[0] * sum(width == widths[0] for width in widths) / len(widths)

"""Tables as both forms of the report show them: text in cells, and what the cells stand for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

Tone = Literal["", "method", "control", "oracle", "reference", "primary", "muted"]


@dataclass(frozen=True)
class Cell:
    """One cell: its text, a second quieter text, and a share in 0..1 where its background is to be shaded."""

    text: str
    note: str = ""
    shade: float | None = None
    badge: str = ""


@dataclass(frozen=True)
class Column:
    """A column's title, whether it holds numbers, and what its title means."""

    title: str
    numeric: bool = True
    hint: str = ""


@dataclass(frozen=True)
class Row:
    """Cells in the order of the columns, and what kind of thing the row is about."""

    cells: tuple[Cell, ...]
    tone: Tone = ""


@dataclass(frozen=True)
class TableView:
    """A table with its caption, which says how to read it."""

    key: str
    title: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]


def row(*cells: Cell | str, tone: Tone = "") -> Row:
    """A row of cells; plain text becomes a cell."""
    return Row(tuple(Cell(cell) if isinstance(cell, str) else cell for cell in cells), tone)


def columns(*titles: str, text: Sequence[int] = (0,), hints: dict[str, str] | None = None) -> tuple[Column, ...]:
    """Columns of the given titles; those at the positions in `text` hold words, the others numbers."""
    known = hints or {}
    return tuple(Column(title, i not in text, known.get(title, "")) for i, title in enumerate(titles))

"""Tables and numbers as both forms of the report show them: text in cells, and what the cells stand for."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass
from typing import Literal, TypeVar

from outgrow.reporting.formatting import FORMS, bounds
from outgrow.reporting.schema.base import Estimate

Tone = Literal["", "method", "control", "oracle", "reference", "primary", "muted"]
_Item = TypeVar("_Item")


@dataclass(frozen=True)
class Tile:
    """One number at the top of a page."""

    label: str
    value: str
    note: str
    tone: Tone = ""


@dataclass(frozen=True)
class Cell:
    """One cell: its text, a second quieter text, and a share in 0..1 where its background is to be shaded."""

    text: str
    note: str = ""
    shade: float | None = None
    badge: str = ""


@dataclass(frozen=True)
class Column:
    """A column's title, and whether it holds numbers."""

    title: str
    numeric: bool = True


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


def table(
    key: str,
    title: str,
    caption: str,
    items: Iterable[_Item],
    *described: tuple[str, Callable[[_Item], Cell | str]],
    words: Container[int] = (0,),
    tone: Callable[[_Item], Tone] = lambda _: "",
    above: Iterable[Row] = (),
) -> TableView:
    """A table with a row per item.

    Args:
        key: of the table in the page.
        title: above it.
        caption: below it.
        items: what the rows are about.
        *described: the columns, each a title and what stands there of an item.
        words: positions of the columns that hold words; the others hold numbers.
        tone: of an item's row.
        above: rows that precede those of the items.
    """
    rows = [row(*(cell_of(item) for _, cell_of in described), tone=tone(item)) for item in items]
    return TableView(key, title, caption, columns([name for name, _ in described], words), (*above, *rows))


def columns(titles: Iterable[str], words: Container[int] = (0,)) -> tuple[Column, ...]:
    """Columns of the given titles; those at the positions in `words` hold words, the others numbers."""
    return tuple(Column(title, i not in words) for i, title in enumerate(titles))


def row(*cells: Cell | str, tone: Tone = "") -> Row:
    """A row of cells; plain text becomes a cell."""
    return Row(tuple(Cell(cell) if isinstance(cell, str) else cell for cell in cells), tone)


def estimate_cell(estimate: Estimate, form: str = "percent") -> Cell:
    """A number in the given form (percent, share or points) with its interval."""
    return Cell(FORMS[form](estimate.value), bounds(estimate, form))

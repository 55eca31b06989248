"""The table that ends a run in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from outgrow.reporting.formatting import (
    NO_DATA,
    counts,
    interval,
    p_value,
    percent,
    points,
    share,
)
from outgrow.reporting.run import as_cells
from outgrow.reporting.schema import Accuracy, Arm, Results

WIDE = 100  # columns from which every interval fits
_MARK = {"method": "", "control": " *", "oracle": " †"}
_STYLE = {"method": "", "control": "dim", "oracle": "yellow"}


def summary_table(results: Sequence[Results] | Mapping[str, Any], width: int = WIDE) -> Table:
    """Floor, zero-shot and every arm: accuracy, PGR, difference to naive, adjusted p, rows.

    Args:
        results: the raw contents of results.json, or the cells in them.
        width: columns there are; below 100 only the differences keep their intervals, and rows are left out.

    Raises:
        DataError: the contents are not those of a finished run.
    """
    cells = as_cells(results) if isinstance(results, Mapping) else results
    if len(cells) > 1:
        return _ladder(cells)
    run = cells[0]
    against = run.reference.name if run.reference else "naive"
    table = Table(title=Text(run.name), title_justify="left", box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    table.caption = Text("* control  † control that sees gold; intervals are 95 %")
    table.caption_justify = "left"
    wide = width >= WIDE
    table.add_column("arm", overflow="fold", min_width=14)
    for title in ("accuracy, %", "PGR", f"vs {against}, points", "p (Holm)", *(["rows"] if wide else [])):
        table.add_column(Text(title), justify="right", overflow="fold")
    references = [("supervisor (floor)", run.supervisor.floor)]
    if run.zero_shot is not None:
        references.append(("student, zero-shot", run.zero_shot))
    for name, value in references:
        table.add_row(name, Text(_accuracy(value, wide)), style="dim")
    for arm in run.arms:
        table.add_row(*_cells(run, arm, wide), style=_STYLE[arm.kind])
    return table


def _ladder(cells: Sequence[Results]) -> Table:
    """A row per cell: floor, zero-shot and the accuracy of every arm, with PGR behind it."""
    first = cells[0]
    table = Table(title=Text(first.name), title_justify="left", box=SIMPLE_HEAD, header_style="bold", pad_edge=False)
    table.caption = Text("accuracy in %, PGR in brackets")
    table.caption_justify = "left"
    for title in ("supervisor", "student"):
        table.add_column(Text(title), overflow="fold")
    for title in ("supervisor alone", "zero-shot", *(arm.name for arm in first.arms)):
        table.add_column(Text(title), justify="right", overflow="fold")
    for cell in cells:
        before = NO_DATA if cell.zero_shot is None else percent(cell.zero_shot.value)
        arms = [
            _with(percent(arm.accuracy.value), f"({share(arm.pgr.value)})" if arm.pgr.defined else "")
            for arm in cell.arms
        ]
        row = (cell.supervisor.name, cell.student.name, percent(cell.supervisor.floor.value), before, *arms)
        table.add_row(*map(Text, row))
    return table


def _cells(run: Results, arm: Arm, wide: bool) -> list[Text]:
    naive = run.reference
    found = run.comparison(arm.name, naive.name) if naive is not None else None
    pgr = "undefined"
    if arm.pgr.defined:
        bounds = interval(arm.pgr.low, arm.pgr.high, "share") if wide else ""
        pgr = _with(share(arm.pgr.value), bounds)
    difference, p = (NO_DATA, NO_DATA) if arm is not naive else ("", "")
    if found is not None:
        difference = _with(points(found.value), interval(found.low, found.high, "points"))
        p = p_value(found.p_holm)
    accuracy = _accuracy(arm.accuracy, wide)
    cells = [arm.name + _MARK[arm.kind], accuracy, pgr, difference, p, *([counts(arm.rows)] if wide else [])]
    return [Text(cell) for cell in cells]


def _accuracy(value: Accuracy, wide: bool) -> str:
    return _with(percent(value.value), interval(value.low, value.high) if wide else "")


def _with(value: str, bounds: str) -> str:
    return f"{value} {bounds}".rstrip()

"""The table that ends a run in the terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table
from rich.text import Text

from outgrow.core.terminal import plain_table, plain_text, visible, wide_console
from outgrow.reporting.formatting import FORMS, NO_DATA, bounds, counts, p_value, percent, share
from outgrow.reporting.run import as_cells
from outgrow.reporting.schema import Arm, Estimate, Results
from outgrow.reporting.weak import teachers, weak_side

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
    reference = run.reference
    wide = width >= WIDE
    numbers = ["accuracy, %", "PGR", f"vs {reference.name if reference else 'naive'}, points", "p (Holm)"]
    table = _table(run.name, "* control  † control that sees gold; intervals are 95 %")
    table.add_column("arm", overflow="fold", min_width=14)
    _add_numbers(table, [*numbers, "rows"] if wide else numbers)
    others = [
        (f"supervisors, {floor.name}", floor.accuracy) for floor in run.supervisor.floors[1:] if floor.reason is None
    ]
    floor = f"{weak_side(run.supervisor)} (floor)"
    for name, accuracy in ((floor, run.supervisor.floor), *others, ("student, zero-shot", run.zero_shot)):
        if accuracy is not None:
            table.add_row(name, _number(accuracy, wide), style="dim")
    for arm in run.arms:
        table.add_row(*_cells(run, arm, wide), style=_STYLE[arm.kind])
    return table


def summary_text(results: Mapping[str, Any]) -> str:
    """The summary table of a run under way, as text."""
    width = wide_console(120).width
    return plain_text(summary_table(results, width), width)


def _table(title: str, caption: str) -> Table:
    return plain_table(
        title=Text(visible(title)), title_justify="left", caption=Text(caption), caption_justify="left",
        box=SIMPLE_HEAD, header_style="bold",
    )  # fmt: skip


def _add_numbers(table: Table, titles: Sequence[str]) -> None:
    for title in titles:
        table.add_column(Text(visible(title)), justify="right", overflow="fold")


def _ladder(cells: Sequence[Results]) -> Table:
    """A row per cell: floor, zero-shot and the accuracy of every arm, with PGR behind it; of many arms a row each."""
    first = cells[0]
    table = _table(first.name, "accuracy in %, PGR in brackets")
    if len(first.arms) > max(5, len(cells)):
        table.add_column("arm", overflow="fold", min_width=14)
        _add_numbers(table, [cell.cell for cell in cells])
        floors = (percent(cell.supervisor.floor.value) for cell in cells)
        table.add_row(f"{weak_side(first.supervisor)} (floor)", *floors, style="dim")
        table.add_row("student, zero-shot", *(_before(cell) for cell in cells), style="dim")
        for arms in zip(*(cell.arms for cell in cells), strict=True):
            table.add_row(arms[0].name + _MARK[arms[0].kind], *map(_recovered, arms), style=_STYLE[arms[0].kind])
        return table
    for title in ("supervisor", "student"):
        table.add_column(Text(title), overflow="fold")
    _add_numbers(table, ["supervisor alone", "zero-shot", *(arm.name for arm in first.arms)])
    for cell in cells:
        row = (teachers(cell.supervisor), cell.student.name, percent(cell.supervisor.floor.value), _before(cell))
        table.add_row(*row, *map(_recovered, cell.arms))
    return table


def _before(cell: Results) -> str:
    return NO_DATA if cell.zero_shot is None else percent(cell.zero_shot.value)


def _recovered(arm: Arm) -> str:
    return percent(arm.accuracy.value) + (f" ({share(arm.pgr.value)})" if arm.pgr.defined else "")


def _cells(run: Results, arm: Arm, wide: bool) -> list[str]:
    reference = run.reference
    compared = run.comparison(arm.name, reference.name) if reference is not None else None
    nothing = "" if arm is reference else NO_DATA
    cells = [
        arm.name + _MARK[arm.kind],
        _number(arm.accuracy, wide),
        _number(arm.pgr, wide, "share") if arm.pgr.defined else "undefined",
        nothing if compared is None else _number(compared, True, "points"),
        nothing if compared is None else p_value(compared.p_holm),
    ]
    return [*cells, counts(arm.rows)] if wide else cells


def _number(estimate: Estimate, interval: bool, form: str = "percent") -> str:
    return f"{FORMS[form](estimate.value)} {bounds(estimate, form) if interval else ''}".rstrip()

"""The report of a run with several cells: its ladder, a table of all cells, and the way to each cell's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from outgrow.experiment.cells import cell_folder
from outgrow.reporting import formatting as forms
from outgrow.reporting.cell_report import as_yaml
from outgrow.reporting.figures.drawn import Shown
from outgrow.reporting.formatting import NO_DATA, percent, share
from outgrow.reporting.markdown import render_markdown
from outgrow.reporting.page import Pages, figure_context, render_page
from outgrow.reporting.result_tables import recovered_cell
from outgrow.reporting.run import RunFolder
from outgrow.reporting.schema import Results
from outgrow.reporting.views import Cell, TableView, columns, estimate_cell, row
from outgrow.reporting.weak import names_of, taught_by, teachers, weak_side


def build_pages(run: RunFolder, figures: Mapping[str, Shown], data: Mapping[str, bytes]) -> Pages:
    """The overview of a run with several cells.

    Args:
        run: a finished run.
        figures: its figures by key (`draw_ladders`).
        data: each figure's CSV file by key, offered for download inside the page.
    """
    context = {
        "results": run.results,
        "cells": [(cell.cell, cell_folder(cell.cell)) for cell in run.cells],
        "table": _cells_table(run.cells),
        "paragraphs": _in_words(run.cells),
        "recipe": as_yaml(run.results.recipe),
        "drawn": figures,
        "forms": forms,
    }
    html = render_page("ladder.html.j2", {**context, **figure_context(figures, data)}, scripts=("report.js",))
    return Pages(html, render_markdown("ladder.md.j2", context))


def _cells_table(cells: Sequence[Results]) -> TableView:
    """Every cell: floor, zero-shot, and accuracy, PGR and elicited share of every arm."""
    whose = ("Supervisor", "Student", "Supervisor's accuracy", "Before training")
    rows = []
    for cell in cells:
        first = [
            Cell(taught_by(cell), teachers(cell.supervisor) if cell.supervisor.members else cell.supervisor.model),
            Cell(cell.student.name, cell.student.model),
            estimate_cell(cell.supervisor.floor),
            "" if cell.zero_shot is None else estimate_cell(cell.zero_shot),
        ]
        for place, arm in enumerate(cell.arms):
            rows.append(
                row(
                    *(first if place == 0 else [""] * len(whose)),
                    arm.name,
                    estimate_cell(arm.accuracy),
                    recovered_cell(arm.pgr),
                    recovered_cell(arm.elicited),
                    tone=arm.kind,
                )
            )
    return TableView(
        "cells",
        "Cells",
        "Means over seeds with 95 % intervals, in percent. PGR is (student − supervisor) / (ceiling − "
        "supervisor); elicited is (student − student before training) / (ceiling − student before training).",
        columns([*whose, "Arm", "Accuracy, %", "PGR", "Elicited"], words=(0, 1, 4)),
        tuple(rows),
    )


def _in_words(cells: Sequence[Results]) -> list[str]:
    """What was run, and what came out of naive training, in short paragraphs."""
    first = cells[0]
    weak = list(dict.fromkeys(name for cell in cells for name in names_of(cell.supervisor)))
    strong = list(dict.fromkeys(cell.student.name for cell in cells))
    who = [
        f"{forms.plural(len(names), one)} ({forms.join_words(names)})"
        for names, one in ((weak, "supervisor"), (strong, "student"))
    ]
    how = f"{forms.plural(len(first.arms), 'arm')} each with {forms.plural(len(first.seeds), 'seed')}"
    kind = "cell" if any(cell.supervisor.members for cell in cells) else "pair"
    paragraphs = [f"{' and '.join(who)} in {forms.plural(len(cells), kind)}, {how}."]
    lines = []
    for cell in cells:
        arm, ceiling = cell.reference, cell.ceiling
        if arm is not None:
            gap = f", PGR {share(arm.pgr.value)}" if arm.pgr.defined else ", PGR undefined"
            top = percent(ceiling.accuracy.value) if ceiling is not None else NO_DATA
            lines.append(
                f"{cell.cell}: {weak_side(cell.supervisor)} {percent(cell.supervisor.floor.value)} %, {arm.name} "
                f"{percent(arm.accuracy.value)} %, ceiling {top} %{gap}"
            )
    return [*paragraphs, "; ".join(lines) + "."]

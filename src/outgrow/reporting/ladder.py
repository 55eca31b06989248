"""The page of a run with several cells: its ladder, a table of all cells, and the way to each cell's report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from outgrow.experiment.cells import cell_folder
from outgrow.reporting import formatting as forms
from outgrow.reporting.figures.drawn import Drawn, Shown, to_inline
from outgrow.reporting.figures.ladder import CEILING, draw_ladder, draw_ladder_pgr
from outgrow.reporting.figures.style import house_style
from outgrow.reporting.formatting import NO_DATA, percent, share
from outgrow.reporting.html import as_yaml, data_link
from outgrow.reporting.markdown import render_markdown
from outgrow.reporting.page import assets, environment
from outgrow.reporting.result_tables import accuracy_cell, recovered_cell
from outgrow.reporting.run import RunFolder
from outgrow.reporting.schema import Results
from outgrow.reporting.views import Cell, TableView, columns, row


@dataclass(frozen=True)
class Pages:
    """The page and its Markdown twin."""

    html: str
    markdown: str


def draw_all(cells: Sequence[Results]) -> dict[str, Drawn]:
    """The figures of a ladder that there are data for, by key."""
    with house_style():
        drawn = [draw_ladder(cells), draw_ladder_pgr(cells)]
    return {each.key: each for each in drawn if each is not None}


def cells_table(cells: Sequence[Results]) -> TableView:
    """Every cell: floor, zero-shot, and accuracy, PGR and elicited share of every arm."""
    rows = []
    for cell in cells:
        for place, arm in enumerate(cell.arms):
            first = place == 0
            rows.append(
                row(
                    Cell(cell.supervisor.name if first else "", cell.supervisor.model if first else ""),
                    Cell(cell.student.name if first else "", cell.student.model if first else ""),
                    accuracy_cell(cell.supervisor.floor) if first else "",
                    accuracy_cell(cell.zero_shot) if first and cell.zero_shot is not None else "",
                    Cell(arm.name),
                    accuracy_cell(arm.accuracy),
                    recovered_cell(arm.pgr),
                    recovered_cell(arm.elicited),
                    tone=arm.kind,
                )
            )
    return TableView(
        key="cells",
        title="Cells",
        caption="Means over seeds with 95 % intervals, in percent. PGR is (student − supervisor) / (ceiling − "
        "supervisor); elicited is (student − student before training) / (ceiling − student before training).",
        columns=columns(
            "Supervisor", "Student", "Supervisor's accuracy", "Before training", "Arm", "Accuracy, %", "PGR",
            "Elicited", text=(0, 1, 4),
        ),
        rows=tuple(rows),
    )  # fmt: skip


def in_words(cells: Sequence[Results]) -> list[str]:
    """What was run, and what came out of naive training, in short paragraphs."""
    first = cells[0]
    weak = list(dict.fromkeys(cell.supervisor.name for cell in cells))
    strong = list(dict.fromkeys(cell.student.name for cell in cells))
    who = [
        f"{forms.plural(len(names), one)} ({forms.join_words(names)})"
        for names, one in ((weak, "supervisor"), (strong, "student"))
    ]
    how = f"{forms.plural(len(first.arms), 'arm')} each with {forms.plural(len(first.seeds), 'seed')}"
    paragraphs = [f"{' and '.join(who)} in {forms.plural(len(cells), 'pair')}, {how}."]
    told = []
    for cell in cells:
        arm, ceiling = cell.reference, cell.arm_of(CEILING)
        if arm is not None:
            gap = f", PGR {share(arm.pgr.value)}" if arm.pgr.defined else ", PGR undefined"
            top = percent(ceiling.accuracy.value) if ceiling is not None else NO_DATA
            told.append(
                f"{cell.cell}: supervisor {percent(cell.supervisor.floor.value)} %, {arm.name} "
                f"{percent(arm.accuracy.value)} %, ceiling {top} %{gap}"
            )
    return [*paragraphs, "; ".join(told) + "."]


def build_pages(run: RunFolder, drawn: Mapping[str, Shown], data: Mapping[str, bytes]) -> Pages:
    """The overview of a run with several cells.

    Args:
        run: a finished run.
        drawn: its figures by key (`draw_all`).
        data: each figure's CSV file by key, offered for download inside the page.
    """
    cells = run.cells
    context = {
        "results": run.results,
        "cells": [(cell.cell, cell_folder(cell.cell)) for cell in cells],
        "table": cells_table(cells),
        "paragraphs": in_words(cells),
        "recipe": as_yaml(run.results.recipe),
        "drawn": drawn,
        "forms": forms,
    }
    page = environment().get_template("ladder.html.j2")
    html = page.render(
        **context,
        figures={key: Markup(to_inline(figure)) for key, figure in drawn.items()},
        links={key: data_link(content) for key, content in data.items()},
        **assets(("report.css",), ("report.js",)),
    )
    return Pages(html, render_markdown("ladder.md.j2", context))

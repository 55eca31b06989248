"""The report of a finished run: page, Markdown twin, figures and their data."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from outgrow.io import write_table
from outgrow.reporting.checks import check_run
from outgrow.reporting.run import RunFolder, read_folder

if TYPE_CHECKING:
    from outgrow.reporting.figures import Drawn


@dataclass(frozen=True)
class ReportFiles:
    """Where the report lies."""

    html: Path
    markdown: Path


def write_report(folder: Path) -> ReportFiles:
    """Write report.html, report.md, figures/*.svg and figures/*.csv into a finished run's folder.

    A run of several cells gets a page with its ladder, and a report of each cell in a folder of its own.

    Files are complete or not there: each is written beside its place and moved into it. Only results.json decides
    the figures and the Markdown's numbers, so that the same results give the same bytes.

    Args:
        folder: what `outgrow run` left, with results.json and usually provenance.json and answers.parquet.

    Raises:
        DataError: results.json is missing or cannot be read.
    """
    folder = Path(folder)
    run = read_folder(folder)
    if len(run.cells) == 1:
        return _write_cell(run, folder)
    from outgrow.reporting.ladder import build_pages, cell_folder, draw_all

    for results in run.cells:
        place = folder / cell_folder(results)
        place.mkdir(parents=True, exist_ok=True)
        _write_cell(run.of_cell(results, place), place)
    drawn = draw_all(run.cells)
    pages = build_pages(run, drawn, _write_figures(folder, drawn, {"ladder", "ladder_pgr"}))
    _write(folder / "report.html", pages.html)
    _write(folder / "report.md", pages.markdown)
    return ReportFiles(folder / "report.html", folder / "report.md")


def _write_cell(run: RunFolder, folder: Path) -> ReportFiles:
    from outgrow.reporting.figures import DRAWINGS, draw_all
    from outgrow.reporting.html import build_html
    from outgrow.reporting.markdown import build_markdown

    checks = check_run(run.results, run.provenance)
    drawn = draw_all(run.results)
    data = _write_figures(folder, drawn, set(DRAWINGS))
    files = ReportFiles(folder / "report.html", folder / "report.md")
    _write(files.html, build_html(run, checks, drawn, data))
    _write(files.markdown, build_markdown(run, checks, drawn))
    return files


def _write_figures(folder: Path, drawn: Mapping[str, Drawn], known: set[str]) -> dict[str, bytes]:
    """Write figures and their data; those of an earlier report that are not drawn any more go."""
    (folder / "figures").mkdir(exist_ok=True)
    for key in known - drawn.keys():
        for suffix in ("svg", "csv"):
            (folder / "figures" / f"{key}.{suffix}").unlink(missing_ok=True)
    data = {}
    for key, figure in drawn.items():
        _write(folder / "figures" / f"{key}.svg", figure.svg)
        write_table(figure.data, folder / "figures" / f"{key}.csv")
        data[key] = (folder / "figures" / f"{key}.csv").read_bytes()
    return data


def _write(path: Path, text: str) -> None:
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as file:
            file.write(text)
        Path(name).chmod(0o644)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise

"""The report of a finished run: page, Markdown twin, figures and their data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from outgrow.core.files import whole_file
from outgrow.experiment.cells import cell_folder
from outgrow.io import write_table
from outgrow.reporting import cell_report, ladder_report
from outgrow.reporting.checks import check_run
from outgrow.reporting.figures.drawn import Shown
from outgrow.reporting.figures.kept import fingerprint, keep_figures, kept_figures
from outgrow.reporting.page import Pages
from outgrow.reporting.run import RunFolder, read_folder

if TYPE_CHECKING:
    from outgrow.reporting.figures.drawn import Drawn


@dataclass(frozen=True)
class ReportFiles:
    """Where the report lies."""

    html: Path
    markdown: Path


def write_report(folder: Path, *, keep: bool = False) -> ReportFiles:
    """Write report.html, report.md, figures/*.svg and figures/*.csv into a finished run's folder.

    A run of several cells gets a page with its ladder, and a report of each cell in a folder of its own.

    Files are complete or not there: each is written beside its place and moved into it. Only results.json decides
    the figures and the Markdown's numbers, so that the same results give the same bytes.

    Args:
        folder: what `outgrow run` left, with results.json and usually provenance.json and answers.parquet.
        keep: leave the figures of an earlier report where the same code drew them of the same results (figures.json
            says so), which saves most of the time; otherwise they are drawn anew.

    Raises:
        DataError: results.json is missing or cannot be read, or the folder cannot be written to.
    """
    folder = Path(folder)
    run = read_folder(folder)
    of = fingerprint((folder / "results.json").read_bytes())
    if len(run.cells) == 1:
        return _write_cell(run, folder, of, keep=keep)
    for results in run.cells:
        place = folder / cell_folder(results.cell)
        place.mkdir(parents=True, exist_ok=True)
        _write_cell(run.of_cell(results, place), place, of, keep=keep)

    def draw() -> Mapping[str, Drawn]:
        from outgrow.reporting.figures.draw import draw_ladders

        return draw_ladders(run.cells)

    figures = _figures(folder, of, draw, keep=keep)
    return _write_pages(folder, ladder_report.build_pages(run, figures, _data(folder, figures)))


def _write_cell(run: RunFolder, folder: Path, of: str, *, keep: bool) -> ReportFiles:
    """The report of one cell in `folder`; `of` is the fingerprint of the run's results."""

    def draw() -> Mapping[str, Drawn]:
        from outgrow.reporting.figures.draw import draw_all

        return draw_all(run.results)

    checks = check_run(run.results, run.provenance)
    figures = _figures(folder, of, draw, keep=keep)
    return _write_pages(folder, cell_report.build_pages(run, checks, figures, _data(folder, figures)))


def _figures(folder: Path, of: str, draw: Callable[[], Mapping[str, Drawn]], *, keep: bool) -> Mapping[str, Shown]:
    """The figures of an earlier report of the same results where they may be kept; else drawn and written anew."""
    kept = kept_figures(folder, of) if keep else None
    if kept is not None:
        return kept
    from outgrow.reporting.figures.draw import DRAWINGS, LADDER

    drawn = draw()
    (folder / "figures").mkdir(exist_ok=True)
    for key in {*DRAWINGS, *LADDER} - drawn.keys():  # of an earlier report; other files there are the user's
        for suffix in ("svg", "csv"):
            (folder / "figures" / f"{key}.{suffix}").unlink(missing_ok=True)
    for key, figure in drawn.items():
        _write(folder / "figures" / f"{key}.svg", figure.svg)
        write_table(figure.data, folder / "figures" / f"{key}.csv")
    keep_figures(folder, of, drawn)
    return drawn


def _data(folder: Path, figures: Mapping[str, Shown]) -> dict[str, bytes]:
    return {key: (folder / "figures" / f"{key}.csv").read_bytes() for key in figures}


def _write_pages(folder: Path, pages: Pages) -> ReportFiles:
    files = ReportFiles(folder / "report.html", folder / "report.md")
    _write(files.html, pages.html)
    _write(files.markdown, pages.markdown)
    return files


def _write(path: Path, text: str) -> None:
    with whole_file(path) as file:
        file.write(text.encode("utf-8"))

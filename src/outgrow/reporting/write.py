"""The report of a finished run: page, Markdown twin, figures and their data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from outgrow.core.files import whole_file
from outgrow.io import write_table
from outgrow.reporting.checks import check_run
from outgrow.reporting.figures.drawn import Shown
from outgrow.reporting.figures.kept import fingerprint, keep_figures, kept_figures
from outgrow.reporting.run import RunFolder, read_folder

if TYPE_CHECKING:
    from outgrow.reporting.figures.drawn import Drawn


LADDER = ("ladder", "ladder_pgr")  # the figures of a run of several cells


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
    if len(run.cells) == 1:
        return _write_cell(run, folder, folder, keep=keep)
    from outgrow.experiment.cells import cell_folder
    from outgrow.reporting.ladder import build_pages, draw_all

    for results in run.cells:
        place = folder / cell_folder(results.cell)
        place.mkdir(parents=True, exist_ok=True)
        _write_cell(run.of_cell(results, place), place, folder, keep=keep)
    figures = _figures(folder, folder, lambda: draw_all(run.cells), keep=keep)
    pages = build_pages(run, figures, _data(folder, figures))
    _write(folder / "report.html", pages.html)
    _write(folder / "report.md", pages.markdown)
    return ReportFiles(folder / "report.html", folder / "report.md")


def _write_cell(run: RunFolder, folder: Path, results: Path, *, keep: bool) -> ReportFiles:
    """The report of one cell in `folder`; `results` holds results.json."""
    from outgrow.reporting.html import build_html
    from outgrow.reporting.markdown import build_markdown

    def draw() -> Mapping[str, Drawn]:
        from outgrow.reporting.figures.draw import draw_all

        return draw_all(run.results)

    checks = check_run(run.results, run.provenance)
    figures = _figures(folder, results, draw, keep=keep)
    files = ReportFiles(folder / "report.html", folder / "report.md")
    _write(files.html, build_html(run, checks, figures, _data(folder, figures)))
    _write(files.markdown, build_markdown(run, checks, figures))
    return files


def _figures(
    folder: Path, results: Path, draw: Callable[[], Mapping[str, Drawn]], *, keep: bool
) -> Mapping[str, Shown]:
    """The figures of an earlier report of the same results where they may be kept; else drawn and written anew."""
    of = fingerprint((results / "results.json").read_bytes())
    figures: Mapping[str, Shown] | None = kept_figures(folder, of) if keep else None
    if figures is None:
        from outgrow.reporting.figures.draw import DRAWINGS

        drawn = draw()
        (folder / "figures").mkdir(exist_ok=True)
        for key in {*DRAWINGS, *LADDER} - drawn.keys():  # of an earlier report; other files there are the user's
            for suffix in ("svg", "csv"):
                (folder / "figures" / f"{key}.{suffix}").unlink(missing_ok=True)
        for key, figure in drawn.items():
            _write(folder / "figures" / f"{key}.svg", figure.svg)
            write_table(figure.data, folder / "figures" / f"{key}.csv")
        figures = drawn
        keep_figures(folder, of, figures)
    return figures


def _data(folder: Path, figures: Mapping[str, Shown]) -> dict[str, bytes]:
    return {key: (folder / "figures" / f"{key}.csv").read_bytes() for key in figures}


def _write(path: Path, text: str) -> None:
    with whole_file(path) as file:
        file.write(text.encode("utf-8"))

"""The report of a finished run: page, Markdown twin, figures and their data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from outgrow.core.files import whole_file
from outgrow.io import write_table
from outgrow.reporting.checks import check_run
from outgrow.reporting.figures.drawn import Shown
from outgrow.reporting.figures.kept import fingerprint, keep_figures, kept_figures
from outgrow.reporting.run import load_run
from outgrow.reporting.schema import Results


@dataclass(frozen=True)
class ReportFiles:
    """Where the report lies."""

    html: Path
    markdown: Path


def write_report(folder: Path, *, keep: bool = False) -> ReportFiles:
    """Write report.html, report.md, figures/*.svg and figures/*.csv into a finished run's folder.

    Files are complete or not there: each is written beside its place and moved into it. Only results.json decides
    the figures and the Markdown's numbers, so that the same results give the same bytes.

    Args:
        folder: what `outgrow run` left, with results.json and usually provenance.json and answers.parquet.
        keep: leave the figures of an earlier report where the same code drew them of the same results (figures.json
            says so), which saves most of the time; otherwise they are drawn anew.

    Raises:
        DataError: results.json is missing or cannot be read, or the folder cannot be written to.
    """
    from outgrow.reporting.html import build_html
    from outgrow.reporting.markdown import build_markdown

    folder = Path(folder)
    run = load_run(folder)
    checks = check_run(run.results, run.provenance)
    of = fingerprint((folder / "results.json").read_bytes())
    figures: Mapping[str, Shown] | None = kept_figures(folder, of) if keep else None
    if figures is None:
        figures = _draw(folder, run.results)
        keep_figures(folder, of, figures)
    data = {key: (folder / "figures" / f"{key}.csv").read_bytes() for key in figures}
    files = ReportFiles(folder / "report.html", folder / "report.md")
    _write(files.html, build_html(run, checks, figures, data))
    _write(files.markdown, build_markdown(run, checks, figures))
    return files


def _draw(folder: Path, results: Results) -> Mapping[str, Shown]:
    from outgrow.reporting.figures.draw import DRAWINGS, draw_all

    drawn = draw_all(results)
    (folder / "figures").mkdir(exist_ok=True)
    for key in DRAWINGS.keys() - drawn.keys():  # of an earlier report
        for suffix in ("svg", "csv"):
            (folder / "figures" / f"{key}.{suffix}").unlink(missing_ok=True)
    for key, figure in drawn.items():
        _write(folder / "figures" / f"{key}.svg", figure.svg)
        write_table(figure.data, folder / "figures" / f"{key}.csv")
    return drawn


def _write(path: Path, text: str) -> None:
    with whole_file(path) as file:
        file.write(text.encode("utf-8"))

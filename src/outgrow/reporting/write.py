"""The report of a finished run: page, Markdown twin, figures and their data."""

from __future__ import annotations

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

from outgrow.io import write_table
from outgrow.reporting.checks import check_run
from outgrow.reporting.run import load_run


@dataclass(frozen=True)
class ReportFiles:
    """Where the report lies."""

    html: Path
    markdown: Path


def write_report(folder: Path) -> ReportFiles:
    """Write report.html, report.md, figures/*.svg and figures/*.csv into a finished run's folder.

    Files are complete or not there: each is written beside its place and moved into it. Only results.json decides
    the figures and the Markdown's numbers, so that the same results give the same bytes.

    Args:
        folder: what `outgrow run` left, with results.json and usually provenance.json and answers.parquet.

    Raises:
        DataError: results.json is missing or cannot be read.
    """
    from outgrow.reporting.figures import DRAWINGS, draw_all
    from outgrow.reporting.html import build_html
    from outgrow.reporting.markdown import build_markdown

    folder = Path(folder)
    run = load_run(folder)
    checks = check_run(run.results, run.provenance)
    drawn = draw_all(run.results)
    (folder / "figures").mkdir(exist_ok=True)
    for key in DRAWINGS.keys() - drawn.keys():  # of an earlier report
        for suffix in ("svg", "csv"):
            (folder / "figures" / f"{key}.{suffix}").unlink(missing_ok=True)
    data = {}
    for key, figure in drawn.items():
        _write(folder / "figures" / f"{key}.svg", figure.svg)
        write_table(figure.data, folder / "figures" / f"{key}.csv")
        data[key] = (folder / "figures" / f"{key}.csv").read_bytes()
    files = ReportFiles(folder / "report.html", folder / "report.md")
    _write(files.html, build_html(run, checks, drawn, data))
    _write(files.markdown, build_markdown(run, checks, drawn))
    return files


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

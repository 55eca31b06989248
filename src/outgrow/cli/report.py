"""The verb `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outgrow.core.terminal import line


def report(folder: Annotated[Path, typer.Argument(help="The folder of a finished run.")]) -> None:
    """Write a run's report anew."""
    from outgrow.reporting import write_report

    files = write_report(folder)
    line(f"report: {files.html}")

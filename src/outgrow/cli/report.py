"""The verb `report`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(folder: Annotated[Path, typer.Argument(help="The folder of a finished run.")]) -> None:
    """Write a run's report anew."""
    from rich.console import Console

    from outgrow.reporting import write_report

    files = write_report(folder)
    Console(soft_wrap=True, highlight=False).print(f"report: {files.html}", markup=False)

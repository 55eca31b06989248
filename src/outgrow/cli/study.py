"""The verb `study`: small experiments that ship."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outgrow.cli.options import Plugin
from outgrow.core.terminal import line, plain_table, show

MOST_ROWS = 40
"""Of a table that is shown; of a longer one its words are."""


def study(
    name: Annotated[str | None, typer.Argument(help="Which one; without it all are listed.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder for table.csv and figure.svg; studies/NAME.")] = None,
    seeds: Annotated[int | None, typer.Option(min=2, help="How many repetitions.")] = None,
    plugin: Plugin = None,
) -> None:
    """Carry out a small experiment that ends in a table and a figure."""
    from outgrow.cli.lists import list_registry
    from outgrow.studies import STUDIES
    from outgrow.studies import study as carry_out

    if name is None:
        list_registry(STUDIES, None)
        return
    found = carry_out(name, seeds=None if seeds is None else range(seeds))
    if found.table.num_rows > MOST_ROWS:
        for sentence in found.words:
            line(sentence)
    else:
        table = plain_table(*found.table.column_names)
        for row in found.table.to_pylist():
            table.add_row(*(f"{cell:.3f}" if isinstance(cell, float) else str(cell) for cell in row.values()))
        show(table)
    line(f"folder: {found.write(out or Path('studies') / name)}")

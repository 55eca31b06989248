"""What a study is: a small experiment of its own that ends in a table and a figure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from outgrow.core.files import whole_file
from outgrow.core.names import resolve
from outgrow.io import write_table
from outgrow.reporting.figures.drawn import Drawn


@dataclass(frozen=True)
class Study:
    """What came out of a study.

    Attributes:
        table: its numbers.
        figure: drawn from the table.
        words: what they say, one sentence each.
    """

    table: pa.Table
    figure: Drawn
    words: tuple[str, ...]

    def write(self, folder: Path | str) -> Path:
        """Put table.csv and figure.svg into a folder, which is made when missing.

        Returns:
            The folder.
        """
        folder = Path(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_table(self.table, folder / "table.csv")
        with whole_file(folder / "figure.svg") as file:
            file.write(self.figure.svg.encode("utf-8"))
        return folder


@dataclass(frozen=True)
class StudySpec:
    """A study by name.

    Attributes:
        name: on the command line.
        function: carries it out for some seeds, or `module:attr` of it.
        seeds: how many it takes unless told otherwise.
    """

    name: str
    function: str | Callable[[Sequence[int]], Study]
    seeds: int = 5

    @property
    def doc(self) -> str:
        """The first line of the function's docstring."""
        return (resolve(self.function).__doc__ or "").strip().splitlines()[0]

    def run(self, seeds: Sequence[int] | None = None) -> Study:
        """Carry it out."""
        found: Study = resolve(self.function)(range(self.seeds) if seeds is None else seeds)
        return found

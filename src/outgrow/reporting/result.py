"""A finished run in the hand: a recipe in, its numbers out, as a table, as Arrow or one by one."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from outgrow.core.errors import ConfigError
from outgrow.models.ranks import led
from outgrow.reporting.run import read_folder
from outgrow.reporting.schema import Accuracy, Arm, Comparison, Recovered, Results
from outgrow.reporting.schema.results import SupervisorFacts
from outgrow.reporting.summary import model_name
from outgrow.reporting.weak import taught_by

if TYPE_CHECKING:
    from rich.table import Table

    from outgrow.recipe.recipe import Recipe

TABLE = pa.schema(
    [
        *((name, pa.string()) for name in ("supervisor", "student", "arm", "method", "kind")),
        *(
            (f"{name}{end}", pa.float64())
            for name in ("accuracy", "pgr", "difference")
            for end in ("", "_low", "_high")
        ),
        *((name, pa.float64()) for name in ("p_holm", "rows", "steps")),
    ]
)
"""Columns of `Result.table`.

`kind` is method, control or oracle. Accuracy and difference (to naive, else to the first arm) are shares in 0..1, each
like PGR with its 95 % interval; `rows` and `steps` are means over seeds. NaN: there is none, or PGR is undefined.
"""


@dataclass(frozen=True, repr=False)
class Result:
    """A finished run: a cell for each pair of supervisor and student, usually one. Printing it shows its table.

    Attributes:
        folder: where it lies, with results.json, tables and report.
        cells: everything that results.json holds, typed.
    """

    folder: Path
    cells: tuple[Results, ...]

    @property
    def name(self) -> str:
        """The recipe's name."""
        return self.cells[0].name

    def cell(self, supervisor: str | None = None, student: str | None = None) -> Result:
        """The cell of that supervisor (or crowd) and student, as a result of its own.

        Raises:
            ConfigError: there is no such cell, or several are.
        """
        wanted = [
            cell for cell in self.cells if supervisor in (None, taught_by(cell)) and student in (None, student_of(cell))
        ]
        if len(wanted) != 1:
            names = ", ".join(f"{taught_by(cell)} and {student_of(cell)}" for cell in self.cells)
            raise ConfigError(
                f"{len(wanted)} cells of {self.name!r} fit supervisor {supervisor!r} and student {student!r}; take one "
                f"by result.cell(supervisor=..., student=...). The cells are {names}"
            )
        if len(self.cells) == 1:
            return self
        from outgrow.experiment.cells import cell_folder

        return Result(self.folder / cell_folder(wanted[0].cell), (wanted[0],))

    @property
    def results(self) -> Results:
        """Everything about the only cell; of several take one by `cell`."""
        return self.cell().cells[0]

    @property
    def arms(self) -> dict[str, Arm]:
        """The only cell's arms by name, in recipe order: `.accuracy` and `.pgr` have `.value`, `.low` and `.high`."""
        return {arm.name: arm for arm in self.results.arms}

    @property
    def supervisor(self) -> SupervisorFacts:
        """Who labelled the pool of the only cell; its `.floor` is the accuracy that arms are to outgrow.

        Of several supervisors that is the mean; `.floors` has the other floors, `.members` each supervisor.
        """
        return self.results.supervisor

    @property
    def zero_shot(self) -> Accuracy | None:
        """The only cell's student before training; None where it was not asked."""
        return self.results.zero_shot

    @property
    def report(self) -> Path | None:
        """The report's page; None before it is written (`outgrow.report`)."""
        path = self.folder / "report.html"
        return path if path.is_file() else None

    def difference(self, a: str, b: str) -> Comparison | None:
        """Accuracy of arm `a` minus arm `b` with interval and p; None when the two were not compared."""
        return self.results.comparison(a, b)

    def table(self) -> pa.Table:
        """One row per cell and arm, in recipe order; the columns are those of `TABLE`."""
        return pa.Table.from_pylist([_row(cell, arm) for cell in self.cells for arm in cell.arms], schema=TABLE)

    def __str__(self) -> str:
        from rich.console import Console

        text = io.StringIO()
        shown = Console(file=text, width=200, color_system=None, legacy_windows=False)  # as wide as it needs to be
        shown.print(self._summary())
        lines = [line.rstrip() for line in text.getvalue().splitlines()]
        return "\n".join([*(line for line in lines if line), f"folder: {self.folder}"])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        """The table as notebooks show it."""
        summary = self._summary()
        head = "".join(f"<th>{escape(str(column.header))}</th>" for column in summary.columns)
        rows = zip(*(column.cells for column in summary.columns), strict=True)
        body = "".join(f"<tr>{''.join(f'<td>{escape(str(cell))}</td>' for cell in row)}</tr>" for row in rows)
        caption = f"<caption>{escape(str(summary.title))}</caption>"
        return (
            f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
            f"<p>{escape(str(summary.caption))}</p><p>{escape(str(self.folder))}</p>"
        )

    def _summary(self) -> Table:
        from outgrow.reporting.terminal import summary_table

        return summary_table(self.cells)


def student_of(cell: Results) -> str:
    """The student's name; results of format 1 know only its model."""
    return cell.student.name if cell.student.model else model_name(cell.recipe.get("student"))


def _row(results: Results, arm: Arm) -> dict[str, Any]:
    reference = results.reference
    against = None if reference is None else results.comparison(arm.name, reference.name)
    difference = against or Comparison(a=arm.name, b="")
    pgr = arm.pgr if arm.pgr.defined else Recovered()
    return {
        "supervisor": taught_by(results),
        "student": student_of(results),
        "arm": arm.name,
        "method": arm.method,
        "kind": arm.kind,
        **_bounds("accuracy", arm.accuracy),
        **_bounds("pgr", pgr),
        **_bounds("difference", difference),
        "p_holm": difference.p_holm,
        "rows": _mean(arm.rows),
        "steps": _mean(arm.steps),
    }


def _bounds(name: str, value: Accuracy | Recovered | Comparison) -> dict[str, float]:
    return {name: value.value, f"{name}_low": value.low, f"{name}_high": value.high}


def _mean(counts: Sequence[int]) -> float:
    return sum(counts) / len(counts) if counts else math.nan


def load_run(folder: Path | str) -> Result:
    """A finished run from its folder.

    Args:
        folder: what `outgrow.run` or `outgrow run` left.

    Raises:
        DataError: results.json is missing, is not JSON, or lacks something that the report needs.
    """
    return Result(Path(folder), read_folder(Path(folder)).cells)


@led
def run(
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    *,
    overrides: Sequence[str] = (),
    store: str | Path = "outgrow-store",
    out: str | Path | None = None,
    jobs: int | None = None,
    on: str | None = None,
    gpus: int | float | None = None,
    fail_fast: bool = False,
    progress: bool = True,
    report: bool = True,
) -> Result:
    """Carry out a recipe, end to end, and write its report.

    Args:
        recipe: a YAML file, the name of a recipe that ships with the package, plain values, or a `Recipe`; None for
            the demo.
        overrides: `key.sub=value` each, the value in YAML, such as `"seeds=[0,1]"`; applied in order.
        store: folder or URL where artefacts are kept; what is there already is not done again.
        out: the run's folder; `runs/<name>-<hash>` by default.
        jobs: jobs at a time; by default the recipe's, else one per graphics card or per core. Does not change the
            numbers.
        on: where jobs run: None for this machine, `ray`, or `ray://HOST:PORT`.
        gpus: on Ray, graphics cards per job, or a fraction that several jobs share.
        fail_fast: stop everything at the first failure.
        progress: show on stderr how far the run is.
        report: write report.html, report.md and the figures.

    Raises:
        ConfigError: the recipe is wrong; all faults at once.
        RunFailedError: jobs failed; `.failures` says which. Everything that did not need them is done and in the store.
    """
    from outgrow.core.progress import Progress
    from outgrow.execution.run import run_recipe
    from outgrow.recipe.recipe import load_recipe
    from outgrow.reporting.terminal import summary_text
    from outgrow.reporting.write import write_report

    done = run_recipe(
        load_recipe(recipe, overrides),
        store=store,
        out=None if out is None else Path(out),
        jobs=jobs,
        on=on,
        gpus=gpus,
        fail_fast=fail_fast,
        progress=None if progress else Progress(io.StringIO(), live=False),
        so_far=summary_text if progress else None,
    )
    if report:
        write_report(done.folder)
    return load_run(done.folder)

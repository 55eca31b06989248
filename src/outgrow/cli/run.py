"""The verbs `run` and `report`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from outgrow.models.ranks import led
from outgrow.recipe.recipe import Recipe, load_recipe


def split_arguments(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """The recipe, if the first argument is one, and the overrides behind it."""
    if arguments and ("=" not in arguments[0] or Path(arguments[0]).is_file()):
        return arguments[0], list(arguments[1:])
    return None, list(arguments)


@led
def run(
    arguments: Sequence[str],
    *,
    store: str | Path,
    out: Path | None,
    jobs: int | None,
    dry: bool,
    on: str | None = None,
    gpus: float | None = None,
    fail_fast: bool = False,
) -> None:
    """Carry out a recipe and print its table and the report's path; with `dry`, print its jobs instead."""
    recipe = load_recipe(*split_arguments(arguments))
    if dry:
        _dry(recipe)
        return
    from outgrow.execution.run import run_recipe
    from outgrow.reporting import summary_table

    command = ["outgrow", *sys.argv[1:]]
    result = run_recipe(recipe, store=store, out=out, jobs=jobs, command=command, on=on, gpus=gpus, fail_fast=fail_fast)
    console = Console()
    if not console.is_terminal:  # a file or a pipe has no edge to keep within
        console = Console(width=120)
    console.print(summary_table(result.results, console.width))
    report(result.folder, keep=True)


def report(folder: Path, *, keep: bool = False) -> None:
    """Write the report of a run's folder, with `keep` the figures only where they changed, and print where it is."""
    from outgrow.reporting import write_report

    files = write_report(folder, keep=keep)
    Console(soft_wrap=True, highlight=False).print(f"report: {files.html}", markup=False)


def _dry(recipe: Recipe) -> None:
    from outgrow.experiment.downloads import downloads
    from outgrow.experiment.dry import dry_run, planned_task
    from outgrow.supervisors.config import FileSupervisor
    from outgrow.supervisors.file import identity
    from outgrow.tasks.benchmarks import BenchmarkTask

    console = Console()
    for own in recipe.supervisors:
        if isinstance(own, FileSupervisor):
            identity(own, Path(recipe.data_dir))  # the file is there
    task = planned_task(recipe)
    console.print(dry_run(recipe, task))
    for note in task.audit.notes if isinstance(task, BenchmarkTask) else ():
        console.print(f"note: {note}", markup=False, highlight=False, soft_wrap=True)
    for needed in downloads(recipe):
        console.print(f"to download: {needed}", markup=False, highlight=False, soft_wrap=True)

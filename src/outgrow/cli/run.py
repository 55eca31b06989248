"""The verb `run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outgrow.cli.options import Plugin, RecipeAndSettings, Store, split_arguments
from outgrow.cli.stopping import stoppable
from outgrow.core.terminal import line, show, wide_console

if TYPE_CHECKING:
    from outgrow.recipe.recipe import Recipe


def run(
    arguments: RecipeAndSettings = None,
    store: Store = "outgrow-store",
    out: Annotated[Path | None, typer.Option(help="Folder of the results; by default made from the name.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Jobs at a time; by default one per graphics card, or else per core.")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(help="Where jobs run: local, ray (the cluster of RAY_ADDRESS), or ray://HOST:PORT."),
    ] = None,
    gpus: Annotated[
        float | None,
        typer.Option(min=0, help="On Ray, cards per job, or a share of one; by default 1 if the cluster has any."),
    ] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop everything at the first failure.")] = False,
    dry: Annotated[bool, typer.Option("--dry", help="Check everything and list the jobs; train nothing.")] = False,
    plugin: Plugin = None,
) -> None:
    """Carry out a recipe, end to end, and write its report."""
    from outgrow.models.ranks import led, ranks
    from outgrow.recipe.recipe import load_recipe

    with stoppable(store):
        # every rank reads the recipe, so that every rank has its plugins
        recipe = ranks().agree(lambda: load_recipe(*split_arguments(arguments or [])))[0]
        if dry:
            led(_dry)(recipe)
        else:
            led(_run)(recipe, store=store, out=out, jobs=jobs, on=on, gpus=gpus, fail_fast=fail_fast)


def _run(recipe: Recipe, **options: Any) -> None:
    """Carry a recipe out and print its table and the report's path."""
    import sys

    from outgrow.execution.run import run_recipe
    from outgrow.reporting import summary_table, summary_text, write_report

    result = run_recipe(recipe, command=["outgrow", *sys.argv[1:]], so_far=summary_text, **options)
    console = wide_console(120)
    console.print(summary_table(result.results, console.width))
    line(f"report: {write_report(result.folder, keep=True).html}")


def _dry(recipe: Recipe) -> None:
    """Print the jobs of a recipe."""
    from outgrow.experiment.downloads import downloads
    from outgrow.experiment.dry import dry_run
    from outgrow.experiment.sketch import planned_task
    from outgrow.supervisors.config import FileSupervisor
    from outgrow.tasks.benchmarks import BenchmarkTask

    for supervisor in recipe.supervisors:
        if isinstance(supervisor, FileSupervisor):
            recipe.folder_of([supervisor.path], f"supervisor '{supervisor.name}'")
    task = planned_task(recipe)
    show(dry_run(recipe, task))
    for note in task.audit.notes if isinstance(task, BenchmarkTask) else ():
        line(f"note: {note}")
    for needed in downloads(recipe):
        line(f"to download: {needed}")

"""The verb `plan`. Nothing heavy is imported before it runs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgrow.cli.options import Plugin, RecipeAndSettings, split_arguments
from outgrow.core.terminal import line, show

if TYPE_CHECKING:
    from outgrow.recipe.recipe import Recipe


def plan(
    arguments: RecipeAndSettings = None,
    measure: Annotated[bool, typer.Option("--measure", help="Measure this machine and the recipe's models.")] = False,
    machine: Annotated[
        Path | None, typer.Option(help="Where measurements are kept; by default in the user's cache.")
    ] = None,
    device: Annotated[str | None, typer.Option(help="Plan for this device instead, such as h100 or a100-80gb.")] = None,
    devices: Annotated[int, typer.Option(min=1, help="Devices that one job is spread over.")] = 1,
    mfu: Annotated[float, typer.Option(help="With --device: share of its peak that is achieved.")] = 0.4,
    jobs: Annotated[int | None, typer.Option(min=1, help="Jobs at a time; by default the recipe's, else 1.")] = None,
    price_per_hour: Annotated[float | None, typer.Option(min=0, help="Of one device.")] = None,
    shape: Annotated[
        list[str] | None, typer.Option(help="MODEL=FOLDER, MODEL=OTHER_MODEL or MODEL={key: value, ...}.")
    ] = None,
    sample: Annotated[int, typer.Option(min=1, help="Questions of each split that are looked at.")] = 200,
    as_json: Annotated[bool, typer.Option("--json", help="Print numbers instead of a table.")] = False,
    plugin: Plugin = None,
) -> None:
    """Say what a recipe would take: memory, time, tokens, cost. Nothing is trained or fetched."""
    import json

    from outgrow.experiment.planning.plan import can_plan
    from outgrow.experiment.planning.plan import plan as make
    from outgrow.recipe.recipe import load_recipe

    recipe = load_recipe(*split_arguments(arguments or []))
    if not (can_plan() or measure or as_json):
        _counts(recipe)
        return
    made = make(
        recipe,
        device=device,
        devices=devices,
        mfu=mfu,
        jobs=jobs,
        price_per_hour=price_per_hour,
        measure=measure,
        machine=machine,
        shapes=shape or (),
        sample=sample,
        say=lambda text: line(text, error=True),
    )
    if as_json:
        typer.echo(json.dumps(made.numbers(), indent=1))
    else:
        made.show()


def _counts(recipe: Recipe) -> None:
    """Without torch: jobs, prompts, rows and steps alone."""
    from outgrow.experiment.dry import dry_run
    from outgrow.experiment.planning.plan import NEEDED
    from outgrow.experiment.sketch import planned_task

    show(dry_run(recipe, planned_task(recipe)))
    line(f"note: {NEEDED}")

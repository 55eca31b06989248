"""The verb `plan`. Nothing heavy is imported before it runs."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outgrow.cli.options import Plugin, RecipeAndSettings, split_arguments

if TYPE_CHECKING:
    from outgrow.experiment.planning.machine import Machine
    from outgrow.experiment.planning.steps import Planner


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
    import importlib.util

    from outgrow.core.errors import ConfigError
    from outgrow.recipe.recipe import load_recipe

    if not 0 < mfu <= 1:
        raise ConfigError(f"--mfu is {mfu}; it is a share above 0 and at most 1")
    if measure and device is not None:
        raise ConfigError("--measure measures this machine, --device plans for another: give one of them")
    recipe = load_recipe(*split_arguments(arguments or []))
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("transformers") is None:
        _counts(recipe, wants=measure or as_json)
        return
    from outgrow.experiment.planning.estimate import Hardware, estimate
    from outgrow.experiment.planning.machine import known_machine
    from outgrow.experiment.planning.show import numbers, show
    from outgrow.experiment.planning.steps import Planner
    from outgrow.models.known_shapes import given_shapes

    there = None if device is None else known_machine(device, mfu)
    kind = "cpu" if there is None else there.kind
    planner = Planner(recipe, given_shapes(shape or []), sample=sample, device=kind, devices=devices)
    if there is None:
        there = _here(machine or default_file(), planner, measure=measure, asked_for=machine is not None)
    hardware = Hardware(there, devices, jobs or recipe.jobs or 1, price_per_hour)
    estimated = estimate(planner, hardware)
    if as_json:
        import json

        typer.echo(json.dumps(numbers(recipe, estimated, hardware), indent=1))
    else:
        show(recipe, estimated, hardware)


def default_file() -> Path:
    """Where measurements are kept unless the user says otherwise."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "outgrow" / "machine.json"


def _here(file: Path, planner: Planner, *, measure: bool, asked_for: bool) -> Machine | None:
    from outgrow.experiment.planning.machine import read_machine

    if not measure:
        return read_machine(file) if asked_for or file.exists() else None
    from outgrow.experiment.planning.calibrate import measure_machine, measure_models
    from outgrow.models.machine import threads

    threads(planner.recipe.threads)

    def say(what: str) -> None:
        typer.echo(f"measuring {what}", err=True)

    machine = read_machine(file) if file.exists() else measure_machine(say)
    machine = measure_models(machine, planner, [step for job in planner.jobs() for step in job.steps], say)
    machine.save(file)
    typer.echo(f"kept in {file}; remove it to measure the machine anew", err=True)
    return machine


def _counts(recipe: Any, *, wants: bool) -> None:
    """Without torch: jobs, prompts, rows and steps alone."""
    from rich.console import Console

    from outgrow.core.errors import PrerequisiteError
    from outgrow.experiment.dry import dry_run
    from outgrow.experiment.sketch import planned_task

    needed = "tokens, time and memory need torch and transformers; install them with: pip install 'outgrow[train]'"
    if wants:
        raise PrerequisiteError(needed)
    Console().print(dry_run(recipe, planned_task(recipe)))
    typer.echo(f"note: {needed}")

"""What a recipe would take: memory, time, tokens, cost. Nothing is trained or fetched."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.models.known_shapes import given_shapes
from outgrow.recipe.recipe import Recipe, load_recipe

if TYPE_CHECKING:
    from outgrow.experiment.planning.machine import Machine
    from outgrow.experiment.planning.show import Plan
    from outgrow.experiment.planning.steps import Planner

NEEDED = "tokens, time and memory need torch and transformers; install them with: pip install 'outgrow[train]'"


def plan(
    recipe: Recipe | Mapping[str, Any] | str | Path | None = None,
    *,
    overrides: Sequence[str] = (),
    device: str | None = None,
    devices: int = 1,
    mfu: int | float = 0.4,
    jobs: int | None = None,
    price_per_hour: int | float | None = None,
    measure: bool = False,
    machine: str | Path | None = None,
    shapes: Sequence[str] = (),
    sample: int = 200,
    say: Callable[[str], None] = lambda text: None,
) -> Plan:
    """Say what a recipe would take.

    Args:
        recipe: as for `outgrow.run`.
        overrides: `key.sub=value` each.
        device: plan for this device, such as `h100`, instead of this machine.
        devices: that one job is spread over.
        mfu: with `device`, the share of its peak that is achieved, above 0, at most 1.
        jobs: at a time; by default the recipe's, else 1.
        price_per_hour: of one device.
        measure: measure this machine and the recipe's models first, and keep that in `machine`.
        machine: the file of measurements; by default in the user's cache. Without one there are counts and no time.
        shapes: `MODEL=FOLDER`, `MODEL=OTHER_MODEL` or `MODEL={key: value, ...}`, for models that are not here.
        sample: questions of each split that are looked at.
        say: told what is being measured.

    Raises:
        ConfigError: the recipe or an argument is wrong.
        PrerequisiteError: the extra `train` is not installed.
    """
    if not 0 < mfu <= 1:
        raise ConfigError(f"mfu is {mfu}; it is a share above 0 and at most 1")
    if measure and device is not None:
        raise ConfigError("measure is for this machine, device for another: give one of them")
    if not can_plan():
        raise PrerequisiteError(NEEDED)
    from outgrow.experiment.planning.data_sheets import known_machine
    from outgrow.experiment.planning.estimate import Hardware, estimate
    from outgrow.experiment.planning.machine import read_machine
    from outgrow.experiment.planning.show import Plan
    from outgrow.experiment.planning.steps import Planner

    recipe = load_recipe(recipe, overrides)
    where = None if device is None else known_machine(device, mfu)
    kind = "cpu" if where is None else where.kind
    planner = Planner(recipe, given_shapes(list(shapes)), sample=sample, device=kind, devices=devices)
    if where is None:
        file = default_file() if machine is None else Path(machine)
        if measure:
            where = _measured(file, planner, say)
        elif machine is not None or file.exists():
            where = read_machine(file)
    hardware = Hardware(where, devices, jobs or recipe.jobs or 1, price_per_hour)
    return Plan(recipe, estimate(planner, hardware), hardware)


def can_plan() -> bool:
    """Whether torch and transformers are installed."""
    return all(importlib.util.find_spec(name) is not None for name in ("torch", "transformers"))


def default_file() -> Path:
    """Where measurements are kept unless the user says otherwise."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "outgrow" / "machine.json"


def _measured(file: Path, planner: Planner, say: Callable[[str], None]) -> Machine:
    from outgrow.experiment.planning.calibrate import measure_machine, measure_models
    from outgrow.experiment.planning.machine import read_machine
    from outgrow.models.machine import threads

    threads(planner.recipe.threads)

    def measuring(what: str) -> None:
        say(f"measuring {what}")

    machine = read_machine(file) if file.exists() else measure_machine(measuring)
    machine = measure_models(machine, planner, measuring)
    machine.save(file)
    say(f"kept in {file}; remove it to measure the machine anew")
    return machine

"""A plan as a table for the terminal, and as plain numbers."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from outgrow.experiment.planning.estimate import Cost, Estimate, Hardware
from outgrow.experiment.planning.steps import PlannedJob
from outgrow.recipe.recipe import Recipe

if TYPE_CHECKING:
    from rich.console import Console


PRINTED = {"generated": "generated_tokens", "bound": "generated_bound"}
"""What numbers are called that have a short name in the code."""


def count(value: int | float) -> str:
    """12.3k, 4.56M and the like."""
    for size, unit in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.3g}{unit}"
    return f"{value:.3g}"


def memory(value: int | float) -> str:
    """GiB, or MiB below one."""
    return f"{value / 2**30:.1f} GiB" if value >= 2**30 else f"{value / 2**20:.0f} MiB"


def duration(seconds: int | float | None) -> str:
    """Seconds, minutes, hours or days."""
    if seconds is None:
        return "-"
    for size, unit in ((86400.0, "d"), (3600.0, "h"), (60.0, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.1f} s"


def kinds(found: Estimate) -> list[tuple[PlannedJob, Cost, int]]:
    """One job of each kind, the first seed's, and how many of its kind there are; later ones may cost less."""
    rows: dict[tuple[str, str], list[tuple[PlannedJob, Cost]]] = {}
    for job, cost in found.jobs:
        rows.setdefault((job.stage, job.name), []).append((job, cost))
    return [(*own[0], len(own)) for own in rows.values()]


def show(recipe: Recipe, found: Estimate, hardware: Hardware, console: Console | None = None) -> None:
    """Print the plan; to stdout where no console is given."""
    from rich.console import Console
    from rich.table import Table

    table = Table("stage", "name", "jobs", "answers", "steps", "tokens", "FLOPs", "time", "memory", "disk", box=None,
                  pad_edge=False)  # fmt: skip
    for column in table.columns:
        column.no_wrap = True
    for column in table.columns[2:]:
        column.justify = "right"
    rows = [(job.stage, job.name, str(times), cost) for job, cost, times in kinds(found)]
    for stage, name, times, cost in [*rows, ("all", "", str(len(found.jobs)), found.total)]:
        if stage == "all":
            table.add_section()
        tokens = cost.asked_tokens + cost.trained_tokens + cost.generated
        table.add_row(
            stage, name, times, f"{cost.answers:,.0f}", f"{cost.steps:,}", count(tokens), count(cost.flops),
            duration(cost.seconds), memory(cost.memory.total), count(cost.disk),
        )  # fmt: skip
    if console is None:
        console = Console(highlight=False)
        if not console.is_terminal:  # a file or a pipe has no edge to keep within
            console = Console(width=160, highlight=False)
    console.print(table)
    for line in lines(recipe, found, hardware):
        console.print(line, markup=False, soft_wrap=True)


def lines(recipe: Recipe, found: Estimate, hardware: Hardware) -> list[str]:
    """What stands under the table."""
    said = ["Each line is one job of the first seed; what an earlier job made is not counted again."]
    parts = found.total.memory
    held = [("weights", parts.weights), ("gradients and optimiser", parts.states), ("activations", parts.activations),
            ("gathered", parts.gathered), ("program", parts.base)]  # fmt: skip
    where = "each device" if hardware.devices > 1 else "a worker"
    said.append(f"memory of {where}: " + ", ".join(f"{name} {memory(size)}" for name, size in held if size >= 2**20))
    machine = hardware.machine
    if machine is not None and machine.memory and parts.total > machine.memory:
        said.append(f"warning: {memory(parts.total)} do not fit into the {memory(machine.memory)} of {machine.name}")
    if machine is None:
        said.append("time: no machine is known; run outgrow plan --measure, or give --device")
    else:
        spread = f", each on {hardware.devices} devices" if hardware.devices > 1 else ""
        said.append(f"time: {duration(found.wall)} on {machine.name}, {hardware.jobs} job(s) at a time{spread}")
        said.append(f"device hours: {found.hours:.3g}")
    if found.total.requests:
        said.append(
            f"servers: {count(found.total.requests)} requests, {count(found.total.prompt_tokens)} prompt tokens"
        )
    if found.total.bound:
        said.append(f"generated: {count(found.total.generated)} tokens, at most {count(found.total.bound)}")
    if found.money is not None:
        said.append(f"cost: {found.money:,.2f}")
    elif found.total.price is None:
        said.append("cost: not known; give prompt_price and completion_price of every server")
    return said + [f"note: {note}" for note in found.notes]


def numbers(recipe: Recipe, found: Estimate, hardware: Hardware) -> dict[str, Any]:
    """The plan as plain values: seconds, bytes, counts."""
    return {
        "name": recipe.name,
        "machine": None if hardware.machine is None else hardware.machine.name,
        "devices": hardware.devices,
        "jobs_at_a_time": hardware.jobs,
        "seconds": found.wall,
        "device_hours": found.hours,
        "cost": found.money,
        "total": _plain(found.total),
        "jobs": [{"stage": job.stage, "name": job.name, "seed": job.seed, **_plain(cost)} for job, cost in found.jobs],
        "notes": list(found.notes),
    }


def _plain(cost: Cost) -> dict[str, Any]:
    numbers = {PRINTED.get(name, name): value for name, value in asdict(cost).items()}
    return {**numbers, "memory": {"total": cost.memory.total, **numbers["memory"]}}

"""A plan: as a table for the terminal, and as plain numbers."""

from __future__ import annotations

import io
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from outgrow.core.terminal import plain_table, visible, wide_console
from outgrow.experiment.planning.estimate import Cost, Estimate, Hardware
from outgrow.recipe.recipe import Recipe

if TYPE_CHECKING:
    from rich.console import Console


@dataclass(frozen=True, repr=False)
class Plan:
    """A recipe's plan. Printing it shows its table.

    Attributes:
        recipe: what was planned.
        estimate: its jobs, each with its cost, and their total.
        hardware: where it would run.
    """

    recipe: Recipe
    estimate: Estimate
    hardware: Hardware

    def __str__(self) -> str:
        from rich.console import Console

        text = io.StringIO()
        self.show(Console(file=text, width=160, color_system=None))
        return "\n".join(line.rstrip() for line in text.getvalue().splitlines())

    __repr__ = __str__

    def show(self, console: Console | None = None) -> None:
        """Print it; to stdout where no console is given."""
        table = plain_table(
            "stage", "name", "jobs", "answers", "steps", "tokens", "FLOPs", "time", "memory", "disk"
        )  # fmt: skip
        for column in table.columns:
            column.no_wrap = True
        for column in table.columns[2:]:
            column.justify = "right"
        kinds: dict[tuple[str, str], list[Cost]] = {}
        for job, cost in self.estimate.jobs:
            kinds.setdefault((job.stage, job.name), []).append(cost)
        # the first seed's stands for all of its kind; later ones may cost less
        rows = [(*kind, len(costs), costs[0]) for kind, costs in kinds.items()]
        for stage, name, jobs, cost in [*rows, ("all", "", len(self.estimate.jobs), self.estimate.total)]:
            if stage == "all":
                table.add_section()
            tokens = cost.asked_tokens + cost.trained_tokens + cost.generated
            table.add_row(
                stage, name, str(jobs), f"{cost.answers:,.0f}", f"{cost.steps:,}", count(tokens), count(cost.flops),
                duration(cost.seconds), memory(cost.memory.total), count(cost.disk),
            )  # fmt: skip
        console = console or wide_console(160)
        console.print(table)
        for line in self.lines():
            console.print(visible(line), markup=False, soft_wrap=True)

    def lines(self) -> list[str]:
        """What stands under the table."""
        estimate, machine, devices = self.estimate, self.hardware.machine, self.hardware.devices
        total, parts = estimate.total, estimate.total.memory
        lines = ["Each line is one job of the first seed; what an earlier job made is not counted again."]
        sizes = {
            "weights": parts.weights, "gradients and optimiser": parts.states, "activations": parts.activations,
            "gathered": parts.gathered, "program": parts.base,
        }  # fmt: skip
        where = "each device" if devices > 1 else "a worker"
        shown = ", ".join(f"{name} {memory(size)}" for name, size in sizes.items() if size >= 2**20)
        lines.append(f"memory of {where}: {shown}")
        if machine is not None and machine.memory and parts.total > machine.memory:
            lines.append(
                f"warning: {memory(parts.total)} do not fit into the {memory(machine.memory)} of {machine.name}"
            )
        if machine is None:
            lines.append("time: no machine is known; run outgrow plan --measure, or give --device")
        else:
            spread = f", each on {devices} devices" if devices > 1 else ""
            lines.append(
                f"time: {duration(estimate.wall)} on {machine.name}, {self.hardware.jobs} job(s) at a time{spread}"
            )
            lines.append(f"device hours: {estimate.hours:.3g}")
        if total.requests:
            lines.append(f"servers: {count(total.requests)} requests, {count(total.prompt_tokens)} prompt tokens")
        if total.bound:
            lines.append(f"generated: {count(total.generated)} tokens, at most {count(total.bound)}")
        if estimate.money is not None:
            lines.append(f"cost: {estimate.money:,.2f}")
        elif total.price is None:
            lines.append("cost: not known; give prompt_price and completion_price of every server")
        return lines + [f"note: {note}" for note in estimate.notes]

    def numbers(self) -> dict[str, Any]:
        """The plan as plain values: seconds, bytes, counts; what `outgrow plan --json` prints."""
        return {
            "name": self.recipe.name,
            "machine": None if self.hardware.machine is None else self.hardware.machine.name,
            "devices": self.hardware.devices,
            "jobs_at_a_time": self.hardware.jobs,
            "seconds": self.estimate.wall,
            "device_hours": self.estimate.hours,
            "cost": self.estimate.money,
            "total": _plain(self.estimate.total),
            "jobs": [
                {"stage": job.stage, "name": job.name, "seed": job.seed, **_plain(cost)}
                for job, cost in self.estimate.jobs
            ],
            "notes": list(self.estimate.notes),
        }


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


def _plain(cost: Cost) -> dict[str, Any]:
    numbers = {PRINTED.get(name, name): value for name, value in asdict(cost).items()}
    return {**numbers, "memory": {"total": cost.memory.total, **numbers["memory"]}}

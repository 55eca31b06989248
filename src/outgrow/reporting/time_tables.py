"""Where the time went: per kind of step, and per arm."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable

from outgrow.reporting.formatting import count, duration, percent
from outgrow.reporting.schema import JobTime, Provenance, StepTime
from outgrow.reporting.views import Cell, Row, TableView, columns, row


def time_table(provenance: Provenance) -> TableView | None:
    """Time per kind of step, longest first, shaded by its share of the time; all students are of one kind."""
    if not provenance.steps:
        return None
    arms = {job.arm for job in provenance.times if job.arm is not None}
    kinds: dict[str, list[StepTime]] = {}
    for step in provenance.steps:
        kinds.setdefault(_kind(step, arms), []).append(step)
    spent = {name: _total(step.seconds for step in steps if not step.cached) for name, steps in kinds.items()}
    everything = math.fsum(spent.values())

    def line(name: str, steps: Iterable[StepTime], seconds: float, shade: float | None) -> Row:
        of = list(steps)
        cached = sum(step.cached for step in of)
        return row(
            name,
            count(len(of) - cached),
            count(cached),
            Cell(duration(seconds), shade=shade),
            _share(seconds, everything),
            duration(_total(step.seconds for step in of)),
        )

    longest = max(spent.values()) or 1.0
    rows = [
        line(name, kinds[name], spent[name], spent[name] / longest)
        for name in sorted(spent, key=lambda name: (-spent[name], name))
    ]
    return TableView(
        key="time",
        title="Time per kind of step",
        caption="Steps that were already in the store cost nothing in this run; the last column is what all of them "
        "took when they were made. Steps run side by side, so that times add up to more than the clock's.",
        columns=columns("Step", "Made now", "From the store", "Time now", "Share", "Time in all"),
        rows=(*rows, line("all", provenance.steps, everything, None)),
    )


def _kind(step: StepTime, arms: set[str]) -> str:
    """What a step is, and whose, without its seed: `train: students`, `answer: weak, pool`."""
    about = re.sub(r",? ?seed \d+,? ?", "", step.detail)
    who, _, what = about.partition(" answers ")
    about = ", ".join(part for part in ("students" if who in arms else who, what) if part)
    return f"{step.name}: {about}" if about and arms else step.name


def jobs_table(provenance: Provenance) -> TableView | None:
    """Time per arm over all seeds, longest first; None for a run of an older version."""
    if not provenance.times:
        return None
    groups: dict[str, list[JobTime]] = {}
    for job in provenance.times:
        own = job.arm or ("student before training" if job.seed is None else "supervisors")
        groups.setdefault(own, []).append(job)
    seconds = {name: _total(job.seconds for job in jobs) for name, jobs in groups.items()}
    everything = math.fsum(seconds.values())

    def line(name: str, jobs: Iterable[JobTime], shade: float | None) -> Row:
        of = list(jobs)
        kept, made = _total(job.seconds for job in of), _total(job.made for job in of)
        return row(
            name,
            count(len(of)),
            Cell(duration(kept), shade=shade),
            _share(kept, everything),
            duration(made),
            duration(max(0.0, kept - made)),
            duration(_total(job.reused for job in of)),
        )

    arms = [job for job in provenance.times if job.arm is not None]
    alone = _total(job.made for job in arms) + _total(job.reused for job in arms)
    now = _total(job.made for job in provenance.times if job.seed is not None)
    longest = max(seconds.values()) or 1.0
    rows = [
        line(name, groups[name], seconds[name] / longest)
        for name in sorted(seconds, key=lambda name: (-seconds[name], name))
    ]
    return TableView(
        key="jobs",
        title="Time per arm",
        caption="Over all seeds. A job keeps its worker while it makes steps, and for the rest: loading data and "
        "libraries, rating answers, reading results. The last column is what the steps took that it needed and found "
        "in the store, made by another job or an earlier run. The steps of all arms, each arm with supervisors of its "
        f"own, would have taken {duration(alone)} one by one; this run made them in {duration(now)}.",
        columns=columns("Arm", "Jobs", "On workers", "Share", "Making steps", "Rest", "Saved by the store"),
        rows=(*rows, line("all", provenance.times, None)),
    )


def _total(seconds: Iterable[float]) -> float:
    """The sum of what is known."""
    return math.fsum(each for each in seconds if not math.isnan(each))


def _share(part: float, whole: float) -> str:
    return f"{percent(part / whole if whole else 0.0)} %"

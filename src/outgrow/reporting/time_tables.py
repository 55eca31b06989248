"""Where the time went: per kind of step, and per arm."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from outgrow.reporting.formatting import count, duration, percent
from outgrow.reporting.schema import Provenance, StepTime
from outgrow.reporting.views import Cell, TableView, table

_Timed = TypeVar("_Timed")


@dataclass(frozen=True)
class _Group(Generic[_Timed]):
    """Steps or jobs that share a line, and their share of all the time."""

    name: str
    items: Sequence[_Timed]
    seconds: float
    share: float
    shade: float | None

    @property
    def time(self) -> Cell:
        return Cell(duration(self.seconds), shade=self.shade)

    @property
    def percentage(self) -> str:
        return f"{percent(self.share)} %"

    def total(self, of: Callable[[_Timed], float]) -> str:
        return duration(_total(map(of, self.items)))


def _groups(
    items: Sequence[_Timed], name_of: Callable[[_Timed], str], seconds_of: Callable[[_Timed], float]
) -> list[_Group[_Timed]]:
    """The groups that the items fall into, longest first, and last all of them."""
    groups: dict[str, list[_Timed]] = {}
    for item in items:
        groups.setdefault(name_of(item), []).append(item)
    seconds = {name: _total(map(seconds_of, members)) for name, members in groups.items()}
    whole, longest = math.fsum(seconds.values()), max(seconds.values()) or 1.0
    return [
        *(
            _Group(name, groups[name], seconds[name], seconds[name] / (whole or 1.0), seconds[name] / longest)
            for name in sorted(seconds, key=lambda name: (-seconds[name], name))
        ),
        _Group("all", items, whole, 1.0 if whole else 0.0, None),
    ]


def _total(seconds: Iterable[float]) -> float:
    """The sum of what is known."""
    return math.fsum(each for each in seconds if not math.isnan(each))


def time_table(provenance: Provenance) -> TableView | None:
    """Time per kind of step, longest first, shaded by its share of the time; all students are of one kind."""
    if not provenance.steps:
        return None
    arms = {job.arm for job in provenance.times if job.arm is not None}
    return table(
        "time",
        "Time per kind of step",
        f"Work, added up over steps that ran side by side; on the clock the run took {duration(provenance.seconds)}. "
        "Steps that were already in the store cost nothing in this run; the last column is the work of all of them "
        "when they were made.",
        _groups(provenance.steps, lambda step: _kind(step, arms), lambda step: 0.0 if step.cached else step.seconds),
        ("Step", lambda group: group.name),
        ("Made now", lambda group: count(sum(not step.cached for step in group.items))),
        ("From the store", lambda group: count(sum(step.cached for step in group.items))),
        ("Work now", lambda group: group.time),
        ("Share", lambda group: group.percentage),
        ("Work in all", lambda group: group.total(lambda step: step.seconds)),
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
    arms = [job for job in provenance.times if job.arm is not None]
    alone = _total(job.made for job in arms) + _total(job.reused for job in arms)
    together = _total(job.made for job in provenance.times if job.seed is not None)
    return table(
        "jobs",
        "Time per arm",
        "Over all seeds. A job keeps its worker while it makes steps, and for the rest: loading data and "
        "libraries, rating answers, reading results. The last column is what the steps took that it needed and found "
        "in the store, made by another job or an earlier run. The steps of all arms, each arm with supervisors of its "
        f"own, would have been {duration(alone)} of work; shared they were {duration(together)}.",
        _groups(
            provenance.times,
            lambda job: job.arm or ("student before training" if job.seed is None else "supervisors"),
            lambda job: job.seconds,
        ),
        ("Arm", lambda group: group.name),
        ("Jobs", lambda group: count(len(group.items))),
        ("On workers", lambda group: group.time),
        ("Share", lambda group: group.percentage),
        ("Making steps", lambda group: group.total(lambda job: job.made)),
        ("Rest", lambda group: duration(max(0.0, group.seconds - _total(job.made for job in group.items)))),
        ("Saved by the store", lambda group: group.total(lambda job: job.reused)),
    )

"""Where the time of a run went, for its provenance."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import Any

from outgrow.core.events import Number
from outgrow.experiment.graph import Done


def steps_of(done: Iterable[Done]) -> list[dict[str, Any]]:
    """Every step once, in the order of jobs."""
    steps: dict[str, dict[str, Any]] = {}
    for use in (use for item in sorted(done, key=lambda d: d.job.label) for use in item.log):
        if use.key not in steps or not use.cached:
            steps[use.key] = asdict(use)
    return list(steps.values())


def times_of(ended: Sequence[tuple[Done, Number]]) -> list[dict[str, Any]]:
    """Seconds of every job, in the order of names.

    Returns:
        per job `job`, `arm` and `seed` (null as in `Job`), `seconds` (how long it kept its worker), `made` (seconds of
        the steps that it made) and `reused` (seconds that the steps took which it found in the store, whoever made
        them: another job of this run or an earlier run).
    """
    return [
        {
            "job": done.job.label,
            "arm": done.job.arm,
            "seed": done.job.seed,
            "seconds": round(seconds, 3),
            "made": round(math.fsum(use.seconds for use in done.log if not use.cached), 3),
            "reused": round(math.fsum(use.seconds for use in done.log if use.cached), 3),
        }
        for done, seconds in sorted(ended, key=lambda pair: pair[0].job.label)
    ]

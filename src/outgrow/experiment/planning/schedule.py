"""When jobs end on several workers."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Timed:
    """A job's seconds, and the jobs (by their places) that must have ended before it begins."""

    seconds: int | float
    after: tuple[int, ...] = ()


def finish(jobs: Sequence[Timed], workers: int) -> float:
    """Seconds until the last job ends, each begun on the first free worker once those it waits for have ended.

    List scheduling: at most 2 - 1/workers times the best possible (Graham 1969, "Bounds on multiprocessing timing
    anomalies").

    Args:
        jobs: in the order in which they are begun where several could be; a job waits for earlier ones only.
        workers: at least 1.
    """
    free = [0.0] * workers
    ended = [0.0] * len(jobs)
    running: list[tuple[float, int]] = []
    left = list(range(len(jobs)))
    done: set[int] = set()
    now = 0.0
    while left or running:
        for i in list(left):
            idle = next((w for w, until in enumerate(free) if until <= now), None)
            if idle is None:
                break
            if all(other in done for other in jobs[i].after):
                free[idle] = ended[i] = now + jobs[i].seconds
                heapq.heappush(running, (ended[i], i))
                left.remove(i)
        if not running:
            raise ValueError("jobs wait for each other")
        now, first = heapq.heappop(running)
        done.add(first)
        while running and running[0][0] <= now:
            done.add(heapq.heappop(running)[1])
    return max(ended, default=0.0)

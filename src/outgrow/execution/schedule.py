"""Gives jobs to workers until all are over."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import replace

from outgrow.core.errors import Failure
from outgrow.core.events import Number
from outgrow.execution.job_graph import Graph
from outgrow.execution.outcome import (
    Busy,
    Died,
    Failed,
    Finished,
    Told,
    Workers,
)
from outgrow.execution.overview import Overview
from outgrow.experiment.graph import Done, Job
from outgrow.store import StepUse

LOOK = 1.0
"""Seconds between two looks at the clock, for the time left."""


def run_jobs(
    graph: Graph,
    workers: Workers,
    overview: Overview,
    *,
    fail_fast: bool = False,
    so_far: Callable[[Sequence[Done]], None] | None = None,
    clock: Callable[[], Number] = time.monotonic,
    sleep: Callable[[Number], None] = time.sleep,
) -> list[tuple[Done, Number]]:
    """Carry out every job that can be.

    A failing job stops none but those that need it; `graph.failures` has what failed.

    Args:
        graph: the jobs.
        workers: who carries them out.
        overview: is told everything that happens.
        fail_fast: give up at the first failure; jobs under way are left to the caller, who stops the workers.
        so_far: called with what has finished, when the workers have been given what there is to do.
        clock: seconds.
        sleep: waits for so many seconds.

    Returns:
        what the jobs found and the seconds each took its worker, in the order in which they ended.
    """
    finished: list[tuple[Done, Number]] = []
    made: dict[tuple[Job, str], StepUse] = {}  # by a job that was handed back, and finds it in the store next time
    under_way = 0
    while graph.left and not (fail_fast and graph.failures):
        while under_way < workers.size and (job := graph.take(clock())) is not None:
            workers.begin(job, wait=graph.left <= workers.spare)  # waiting, it is in nobody's way
            under_way += 1
        overview.count()
        if so_far is not None:
            so_far([done for done, _ in finished])
        pause = graph.pause(clock())
        timeout = LOOK if pause is None or under_way == workers.size else min(LOOK, pause)
        if not under_way:
            sleep(timeout)
            continue
        for news in workers.news(timeout):
            overview.hear(news)
            if isinstance(news, Told):
                continue
            under_way -= 1
            failure: Failure | None = None
            if isinstance(news, Finished):
                log = tuple(made.get((news.job, use.key), use) for use in news.done.log)
                finished.append((replace(news.done, log=log), news.seconds))
                graph.finish(news.job, (use.key for use in news.done.log))
            elif isinstance(news, Busy):
                graph.hand_back(news.job, news.key, clock())
                made |= {(news.job, use.key): use for use in news.log if not use.cached}
            elif isinstance(news, Died):
                failure = graph.lose(news.job, news.why)
            elif isinstance(news, Failed):
                failure = news.failure
                graph.fail(news.job, failure)
            if failure is not None:
                overview.failed(failure)
    overview.count()
    return finished

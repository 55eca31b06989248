"""What a person sees of an experiment under way: how many jobs, the time left, and what each worker is doing."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace

from outgrow.core.errors import Failure
from outgrow.core.events import Event, Number
from outgrow.core.progress import Progress
from outgrow.execution.job_graph import Graph
from outgrow.execution.outcome import (
    Busy,
    Died,
    Failed,
    Finished,
    Outcome,
    Told,
)
from outgrow.experiment.graph import Job

STATES = ("running", "waiting", "failed", "not begun")


class Overview:
    """Turns what happens to jobs into progress: a row for all jobs, and one for each that is with a worker.

    Args:
        graph: the jobs.
        progress: where it is shown.
        clock: seconds.
    """

    def __init__(self, graph: Graph, progress: Progress, clock: Callable[[], Number] = time.monotonic) -> None:
        self._graph, self._progress, self._clock = graph, progress, clock
        self._begun: dict[Job, Number] = {}
        self._took: dict[str, list[Number]] = {}
        self._stages: dict[str, list[Number]] = {}
        self._most = 1

    def hear(self, news: Told | Outcome) -> None:
        """Show what a worker told."""
        job = news.job
        begun = self._begun.setdefault(job, self._clock())
        self._most = max(self._most, len(self._begun))
        event = Event(f"job {job.label}", job.label, 0)
        if isinstance(news, Told):
            # A step that has ended is not news: the job goes on with its next.
            if news.event is None or not news.event.closed:
                self._progress(event if news.event is None else replace(news.event, key=event.key))
            return
        if isinstance(news, Finished) and any(not use.cached for use in news.done.log):
            for times in (self._took.setdefault(job.kind, []), self._stages.setdefault(job.stage, [])):
                times.append(self._clock() - begun)  # a job whose results were all there says nothing of the others
        note = {Busy: "waits for a step that is being made", Died: "its worker died", Failed: "failed"}
        del self._begun[job]
        self._progress(replace(event, note=note.get(type(news), ""), closed=True))

    def failed(self, failure: Failure) -> None:
        """A job has failed for good: a line that stays."""
        self._progress.say(f"failed: {failure.job}: {failure.error}: {failure.message}")

    def count(self) -> None:
        """Show how many jobs are where, by stage, and the time left."""
        states = {job: self._state(job) for job in self._graph.jobs}
        done = sum(state == "done" for state in states.values())
        stages = Counter(job.stage for job in states)
        over = Counter(job.stage for job, state in states.items() if state == "done")
        parts = [f"{stage} {over[stage]}/{total}" for stage, total in stages.items()]
        number = Counter(states.values())
        parts += [f"{number[state]} {state}" for state in STATES if number[state]]
        closed = not number["running"] and not number["waiting"]
        self._progress(
            Event("jobs", "jobs", done, len(states), ", ".join(parts), closed, None if closed else self.left(), True)
        )

    def left(self) -> Number:
        """Seconds left, from how long finished jobs of the same kind took, or the next best; NaN while none is known.

        Jobs under way share the work that is left: all of it over as many workers as were seen at once, and no less
        than what the longest job, or the longest row of jobs that wait for each other, still needs.
        """
        known = {"": [seconds for stage in ("supervisors", "arms") for seconds in self._stages.get(stage, ())]}
        if not known[""]:
            return math.nan
        known |= self._stages | self._took
        now = self._clock()
        need: dict[Job, Number] = {}
        chain: dict[Job, Number] = {}
        for job in self._graph.jobs:  # what a job needs stands before it
            before = max((chain[other] for other in self._graph.needs(job)), default=0.0)
            chain[job] = before
            if self._graph.state(job) in ("waiting", "ready", "running"):
                took = next(known[name] for name in (job.kind, job.stage, "") if name in known)
                passed = now - self._begun[job] if job in self._begun else 0.0
                need[job] = max(0.0, sum(took) / len(took) - passed)
                chain[job] = before + need[job]
        return max(sum(need.values()) / self._most, *chain.values())

    def _state(self, job: Job) -> str:
        state = self._graph.state(job)
        if state == "running" and job not in self._begun:
            return "waiting"  # a cluster has it, no worker yet
        return {"ready": "waiting", "dropped": "not begun"}.get(state, state)

"""The jobs of an experiment and what each waits for: a state machine without processes and without a clock."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from outgrow.core.errors import Failure
from outgrow.core.events import Number
from outgrow.experiment.graph import Job

ATTEMPTS = 3
"""Times that a job is begun whose worker dies under it."""
PAUSES = (0.5, 30.0)
"""Seconds before a job that met a busy step is tried again: at first, and at most; each time twice as long."""


class Graph:
    """Which job may begin now.

    A job is *waiting* for those it needs, *ready*, *running*, or over: *done*, *failed*, or *dropped* because one that
    it needs is failed or dropped. A job that met a step which another process is making is ready again after a
    pause, or at once when one of our own jobs has made that step.

    Args:
        needs: every job, in the order of preference, and the jobs that must be done before it, which stand before it.
    """

    def __init__(self, needs: Mapping[Job, Sequence[Job]]) -> None:
        self._needs = {job: tuple(before) for job, before in needs.items()}
        self._state = dict.fromkeys(needs, "waiting")
        self._due: dict[Job, Number] = {}
        self._pauses: dict[Job, Number] = {}
        self._busy_with: dict[Job, str] = {}
        self._deaths: dict[Job, int] = {}
        self.failures: list[Failure] = []

    @property
    def jobs(self) -> tuple[Job, ...]:
        """All jobs."""
        return tuple(self._needs)

    def needs(self, job: Job) -> tuple[Job, ...]:
        """The jobs that must be done before it."""
        return self._needs[job]

    def state(self, job: Job) -> str:
        """`waiting`, `ready`, `running`, `done`, `failed` or `dropped`."""
        state = self._state[job]
        return "ready" if state == "waiting" and self._unblocked(job) else state

    def of(self, *states: str) -> list[Job]:
        """The jobs in one of these states."""
        return [job for job in self._needs if self.state(job) in states]

    @property
    def left(self) -> int:
        """Jobs that are not over."""
        return len(self.of("waiting", "ready", "running"))

    def take(self, now: Number) -> Job | None:
        """The job to begin at the time `now`, which is running from here on; those that met a busy step come last."""
        ready = [job for job in self.of("ready") if self._due.get(job, now) <= now]
        if not ready:
            return None
        job = min(ready, key=lambda job: self._due.get(job, float("-inf")))
        self._state[job] = "running"
        return job

    def pause(self, now: Number) -> Number | None:
        """Seconds until `take` has a job without news; None if it has none before that."""
        due = [self._due.get(job, now) for job in self.of("ready")]
        return max(0.0, min(due) - now) if due else None

    def finish(self, job: Job, made: Iterable[str] = ()) -> None:
        """The job is done; `made` are the keys of its steps, for which others may have been waiting."""
        self._state[job] = "done"
        keys = set(made)
        for other in [other for other, key in self._busy_with.items() if key in keys]:
            self._clear(other)

    def hand_back(self, job: Job, key: str, now: Number) -> None:
        """The job met a step that another process is making."""
        pause = self._pauses.get(job, PAUSES[0])
        self._state[job] = "waiting"
        self._due[job], self._busy_with[job] = now + pause, key
        self._pauses[job] = min(2 * pause, PAUSES[1])

    def lose(self, job: Job, why: str) -> Failure | None:
        """The job's worker died; the job is ready again, or failed when that has happened `ATTEMPTS` times."""
        self._deaths[job] = self._deaths.get(job, 0) + 1
        if self._deaths[job] < ATTEMPTS:
            self._state[job] = "waiting"
            return None
        failure = Failure(
            job.label, "WorkerDied", f"{why}; tried {ATTEMPTS} times. A process that is killed often needs more memory"
        )
        self.fail(job, failure)
        return failure

    def fail(self, job: Job, failure: Failure) -> None:
        """The job failed: those that need it will not begin."""
        self._state[job] = "failed"
        self.failures.append(failure)
        dropped = {job}
        while more := [
            other for other, before in self._needs.items() if other not in dropped and dropped.intersection(before)
        ]:
            dropped.update(more)
            self._state.update(dict.fromkeys(more, "dropped"))

    def _unblocked(self, job: Job) -> bool:
        return all(self._state[before] == "done" for before in self._needs[job])

    def _clear(self, job: Job) -> None:
        for known in (self._due, self._pauses, self._busy_with):
            known.pop(job, None)

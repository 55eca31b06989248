"""The scheduler with made-up workers and a made-up clock: nothing waits for real."""

import io
import random

import pytest

from outgrow.core.errors import Failure
from outgrow.core.events import Event
from outgrow.core.progress import Progress
from outgrow.execution import (
    Busy,
    Died,
    Failed,
    Finished,
    Graph,
    Told,
    run_jobs,
)
from outgrow.execution.overview import Overview
from outgrow.experiment.graph import Done, Job
from outgrow.store import StepUse


def done(job, keys=(), cached=False):
    return Done(job, log=tuple(StepUse("train", key, 1.0, cached, "", "") for key in keys))


class World:
    """Workers that need one second for every step, and steps that only one job at a time can make.

    Args:
        steps: job to the keys of the steps it needs, in order.
        size: workers.
        elsewhere: key to the time until which somebody else is making that step.
        ends: job to how its next attempts end instead: `Failed` or `Died`.
    """

    def __init__(self, steps, size, spare=None, elsewhere=None, ends=None):
        self.size, self.spare = size, size if spare is None else spare
        self.now = 0.0
        self.steps, self.elsewhere, self.ends = steps, elsewhere or {}, ends or {}
        self.made, self.making = set(), {}
        self.under_way = {}  # job -> (wait, end)
        self.begun, self.most, self.attempts = [], 0, 0

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.now += seconds

    def begin(self, job, *, wait):
        assert job not in self.under_way
        self.under_way[job] = wait
        self.begun.append(job)
        self.attempts += 1
        self.most = max(self.most, len(self.under_way))
        assert len(self.under_way) <= self.size

    def _next(self, job):
        return next((key for key in self.steps[job] if key not in self.made), None)

    def news(self, timeout):
        for job, wait in list(self.under_way.items()):
            if queue := self.ends.get(job):
                kind = queue.pop(0)
                del self.under_way[job]
                yield kind(job, Failure(job.label, "DataError", "no") if kind is Failed else "killed")
                return
            key = self._next(job)
            if key is None:
                del self.under_way[job]
                yield Finished(job, done(job, self.steps[job]), 1.0)
                return
            taken = self.making.get(key, job) != job or self.now < self.elsewhere.get(key, 0)
            if taken and not wait:
                del self.under_way[job]
                yield Busy(job, key)
                return
            if not taken and key not in self.making:
                self.making[key] = job
                yield Told(job, Event("k", f"{job.label}: making", 0, 1))
                return
        self.now += timeout
        for key, job in list(self.making.items()):
            del self.making[key]
            self.made.add(key)
            if job not in self.under_way:
                self.made.discard(key)


def run(graph, world, **more):
    overview = Overview(graph, Progress(io.StringIO(), live=False, clock=world.clock), world.clock)
    return run_jobs(graph, world, overview, clock=world.clock, sleep=world.sleep, **more)


JOBS = [Job(0, name) for name in "abcde"]


def test_jobs_that_share_a_step_do_not_keep_workers_waiting():
    steps = {job: ["shared", job.arm] for job in JOBS}
    graph, world = Graph(dict.fromkeys(JOBS, ())), World(steps, 2)
    found = run(graph, world)
    assert sorted(item.job.arm for item, _ in found) == list("abcde")
    assert world.most == 2
    assert world.made == {"shared", *"abcde"}


@pytest.mark.parametrize("seed", range(20))
def test_any_mix_of_shared_steps_other_runs_and_deaths_ends_with_all_jobs_done(seed):
    chance = random.Random(seed)
    steps = {job: [*chance.sample("pqrstu", chance.randint(1, 4)), job.arm] for job in JOBS}
    steps = {job: sorted(keys) for job, keys in steps.items()}  # a step's inputs are made before it
    elsewhere = {key: chance.choice([0, 3, 200]) for key in "pqrstu"}
    ends = {job: [Died] * chance.randint(0, 2) for job in JOBS}
    needs = {job: tuple(chance.sample(JOBS[:i], min(i, 1))) for i, job in enumerate(JOBS)}
    graph, world = Graph(needs), World(steps, chance.randint(1, 3), chance.choice([1, None]), elsewhere, ends)
    found = run(graph, world)
    assert {item.job for item, _ in found} == set(JOBS)
    assert graph.failures == []
    order = [item.job for item, _ in found]
    assert all(order.index(before) < order.index(job) for job, all_ in needs.items() for before in all_)
    assert world.now < 300
    assert world.attempts < 100  # no storm of attempts while another run makes a step for 200 s


def test_the_last_job_may_wait_on_its_worker():
    graph, world = Graph({JOBS[0]: ()}), World({JOBS[0]: ["x"]}, 2, elsewhere={"x": 1000})
    run(graph, world)
    assert world.attempts == 1
    assert world.now >= 1000


def test_a_failure_stops_only_what_needs_it():
    needs = {JOBS[0]: (), JOBS[1]: (JOBS[0],), JOBS[2]: (JOBS[1],), JOBS[3]: (), JOBS[4]: (JOBS[3],)}
    graph, world = Graph(needs), World({job: [job.arm] for job in JOBS}, 1, ends={JOBS[0]: [Failed]})
    found = run(graph, world)
    assert [item.job.arm for item, _ in found] == ["d", "e"]
    assert [failure.job for failure in graph.failures] == ["seed 0: a"]
    assert world.begun == [JOBS[0], JOBS[3], JOBS[4]]


def test_fail_fast_begins_nothing_after_the_first_failure():
    graph, world = Graph(dict.fromkeys(JOBS, ())), World({job: [] for job in JOBS}, 1, ends={JOBS[1]: [Failed]})
    assert [item.job.arm for item, _ in run(graph, world, fail_fast=True)] == ["a"]
    assert world.begun == JOBS[:2]


def test_what_a_job_made_before_it_was_handed_back_counts_as_made():
    class Once(World):
        def news(self, timeout):
            (job,) = self.under_way
            del self.under_way[job]
            if self.attempts == 1:
                use = StepUse("answer", "first", 7.0, False, "", "")
                yield Busy(job, "second", (use,))
            else:
                yield Finished(job, done(job, ["first", "second"], cached=True), 1.0)

    graph = Graph({JOBS[0]: ()})
    ((found, _),) = run(graph, Once({}, 1, spare=0))
    assert [(use.key, use.cached, use.seconds) for use in found.log] == [("first", False, 7.0), ("second", True, 1.0)]

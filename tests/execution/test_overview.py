"""What a person reads while jobs run."""

import io
import math

import pytest

from outgrow.core.errors import Failure
from outgrow.core.events import Event
from outgrow.core.progress import Progress
from outgrow.execution import Busy, Failed, Finished, Graph, Told
from outgrow.execution.overview import Overview
from outgrow.experiment.graph import Done, Job
from outgrow.store import StepUse

START, SUPERVISOR, NAIVE, VOTE = Job(None, None), Job(0, None), Job(0, "naive"), Job(0, "vote")


def finished(job, cached=False):
    return Finished(job, Done(job, log=(StepUse("train", "k", 1.0, cached, "", ""),)), 1.0)


class Scene:
    def __init__(self):
        self.now = 0.0
        self.stream = io.StringIO()
        self.graph = Graph({START: (), SUPERVISOR: (), NAIVE: (SUPERVISOR,), VOTE: (SUPERVISOR,)})
        clock = lambda: self.now  # noqa: E731
        self.overview = Overview(self.graph, Progress(self.stream, live=False, every=5, clock=clock), clock)

    def begin(self, *jobs):
        for job in jobs:
            assert self.graph.take(self.now) == job
            self.overview.hear(Told(job))
        self.overview.count()

    def end(self, job, cached=False):
        self.overview.hear(finished(job, cached))
        self.graph.finish(job)
        self.overview.count()

    def lines(self):
        return self.stream.getvalue().splitlines()


@pytest.fixture
def scene():
    return Scene()


def test_the_time_left_comes_from_jobs_of_the_same_kind_and_the_number_of_workers(scene):
    scene.begin(START, SUPERVISOR)
    assert math.isnan(scene.overview.left())  # nothing has finished
    scene.now = 10
    scene.end(START)
    assert math.isnan(scene.overview.left())  # it trains nothing: the others are of another kind
    scene.now = 20
    scene.end(SUPERVISOR)
    scene.begin(NAIVE)
    scene.now = 24
    # arms: nothing is known but the supervisor's 20 s: naive needs 16 more, vote 20; half of 36 is less than vote alone
    assert scene.overview.left() == 20
    scene.begin(VOTE)
    scene.now = 30
    scene.end(NAIVE)  # 10 s; vote, the other arm, has run since 24 s
    assert scene.overview.left() == 4


def test_jobs_whose_results_were_all_there_say_nothing_about_the_others(scene):
    scene.begin(START, SUPERVISOR)
    scene.end(SUPERVISOR, cached=True)
    assert math.isnan(scene.overview.left())


def test_lines_say_what_is_done_and_what_each_worker_does(scene):
    scene.begin(START, SUPERVISOR)
    scene.now = 16
    scene.overview.hear(Told(SUPERVISOR, Event("any", "seed 0: supervisor: training weak", 3, 8)))
    scene.end(START)
    scene.overview.hear(Told(SUPERVISOR, Event("any", "seed 0: supervisor: training weak", 8, 8, closed=True)))
    assert scene.lines() == [
        "seed 0: supervisor: training weak: 3/8 (38%)",
        "student before training, ended after 16 s",
        "jobs: 1/4 (25%), start 1/1, supervisors 0/1, arms 0/2, 1 running, 2 waiting",
    ]


def test_a_failure_is_told_at_once_and_the_end_counts_it(scene):
    scene.begin(START, SUPERVISOR)
    failure = Failure(SUPERVISOR.label, "DataError", "words.csv, line 3: no label")
    scene.overview.hear(Failed(SUPERVISOR, failure))
    scene.graph.fail(SUPERVISOR, failure)
    scene.overview.failed(failure)
    scene.now = 20
    scene.end(START)
    assert scene.lines() == [
        "failed: seed 0: supervisor: DataError: words.csv, line 3: no label",
        "student before training, ended after 20 s",
        "jobs: 1/4 (25%), ended after 20 s, start 1/1, supervisors 0/1, arms 0/2, 1 failed, 2 not begun",
    ]


def test_a_job_that_waits_for_a_step_has_no_worker(scene):
    scene.begin(START, SUPERVISOR)
    scene.now = 6
    scene.overview.hear(Busy(SUPERVISOR, "key"))
    scene.graph.hand_back(SUPERVISOR, "key", scene.now)
    scene.overview.count()
    assert scene.lines()[0] == "seed 0: supervisor, ended after 6 s, waits for a step that is being made"
    assert scene.lines()[1].endswith("1 running, 3 waiting")


def test_a_task_that_the_cluster_has_not_begun_is_waiting(scene):
    scene.graph.take(0.0)
    scene.now = 6
    scene.overview.count()
    assert scene.overview._state(START) == "waiting"

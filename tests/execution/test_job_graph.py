"""Which job may begin when: order, back-off, failures, deaths."""

import pytest

from outgrow.core.errors import Failure
from outgrow.execution.job_graph import ATTEMPTS, Graph
from outgrow.experiment.graph import Job

START = Job(None, None)
SUPERVISORS = [Job(seed, None) for seed in (0, 1)]
ARMS = [Job(seed, arm) for seed in (0, 1) for arm in ("naive", "vote")]


@pytest.fixture
def graph():
    return Graph({START: (), **{job: () for job in SUPERVISORS}, **{job: (Job(job.seed, None),) for job in ARMS}})


def take_all(graph, now=0.0):
    taken = []
    while (job := graph.take(now)) is not None:
        taken.append(job)
    return taken


def failure(job):
    return Failure(job.label, "DataError", "no")


def test_an_arm_waits_for_the_supervisors_of_its_own_seed_alone(graph):
    assert take_all(graph) == [START, *SUPERVISORS]
    graph.finish(SUPERVISORS[1])  # neither seed 0 nor the student before training is done
    assert take_all(graph) == [Job(1, "naive"), Job(1, "vote")]
    assert graph.of("waiting") == [Job(0, "naive"), Job(0, "vote")]
    assert graph.left == 6


def test_a_failed_job_takes_along_those_that_need_it_and_no_other(graph):
    take_all(graph)
    graph.fail(SUPERVISORS[0], failure(SUPERVISORS[0]))
    graph.finish(SUPERVISORS[1])
    assert graph.of("dropped") == [Job(0, "naive"), Job(0, "vote")]
    assert take_all(graph) == [Job(1, "naive"), Job(1, "vote")]
    assert [found.job for found in graph.failures] == ["seed 0: supervisor"]


def test_dropping_reaches_jobs_of_jobs():
    chain = [Job(seed, None) for seed in range(4)]
    graph = Graph({chain[0]: (), chain[1]: (chain[0],), chain[2]: (chain[1],), chain[3]: ()})
    graph.fail(graph.take(0.0), failure(chain[0]))
    assert graph.of("dropped") == [chain[1], chain[2]]
    assert graph.left == 1


def test_a_job_that_met_a_busy_step_comes_last_and_after_pauses_that_double(graph):
    taken = take_all(graph)
    graph.finish(SUPERVISORS[0])
    job = graph.take(0.0)
    assert job == Job(0, "naive")
    graph.hand_back(job, "key", 0.0)
    assert graph.pause(0.0) == 0  # the other arm can begin
    assert graph.take(0.0) == Job(0, "vote")
    assert graph.take(0.0) is None
    waits = []
    now = 0.0
    for _ in range(9):
        waits.append(graph.pause(now))
        now += waits[-1]
        assert graph.take(now) == job
        graph.hand_back(job, "key", now)
    assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 30]
    assert taken  # they are running all the while
    assert graph.pause(now) == 30


def test_it_is_ready_at_once_when_one_of_ours_has_made_the_step(graph):
    take_all(graph)
    graph.finish(SUPERVISORS[0])
    naive, vote = graph.take(0.0), graph.take(0.0)
    graph.hand_back(vote, "the step", 0.0)
    graph.finish(SUPERVISORS[1], ["another step"])
    assert graph.take(0.0) == Job(1, "naive")
    assert graph.take(0.0) == Job(1, "vote")
    assert graph.take(0.0) is None
    graph.finish(naive, ["the step"])
    assert graph.take(0.0) == vote


def test_a_job_whose_worker_dies_is_tried_again_until_it_has_had_its_attempts(graph):
    for attempt in range(1, ATTEMPTS + 1):
        assert graph.take(0.0) == START
        lost = graph.lose(START, "its process was ended by SIGKILL")
        assert (lost is None) == (attempt < ATTEMPTS)
    assert lost.error == "WorkerDied"
    assert "SIGKILL; tried 3 times" in lost.message
    assert graph.failures == [lost]
    assert graph.state(START) == "failed"
    assert take_all(graph) == SUPERVISORS

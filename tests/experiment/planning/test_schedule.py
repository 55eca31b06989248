"""List scheduling by hand."""

import pytest

from outgrow.experiment.planning.schedule import Timed, finish


def test_jobs_without_order_fill_the_workers():
    jobs = [Timed(3), Timed(2), Timed(2), Timed(1)]
    assert finish(jobs, 1) == 8
    assert finish(jobs, 2) == 4  # 3 + 1 and 2 + 2
    assert finish(jobs, 9) == 3
    assert finish([], 2) == 0


def test_an_arm_waits_for_its_seeds_supervisor_while_others_go_on():
    # two supervisors, then two arms each: on two workers the second supervisor's arms begin when it ends
    jobs = [Timed(2), Timed(6), Timed(1, (0,)), Timed(1, (0,)), Timed(3, (1,)), Timed(3, (1,))]
    assert finish(jobs, 2) == 9
    assert finish(jobs, 1) == 16


def test_jobs_that_wait_for_each_other_are_refused():
    with pytest.raises(ValueError, match="wait for each other"):
        finish([Timed(1, (1,)), Timed(1, (0,))], 2)

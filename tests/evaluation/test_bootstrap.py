"""The crossed bootstrap over groups and seeds, with draws shared by all arms."""

import itertools
import time

import numpy as np
import pytest

from outgrow.core.errors import DataError
from outgrow.evaluation import METRICS, Bootstrap

ARANGE = np.arange


def counted(scores):
    """The statistics of a mean: the score of each question, and 1."""
    return np.stack([scores, np.ones(scores.shape)], axis=2)


def drawn(bootstrap, scores):
    return bootstrap.draw_all({"": counted(scores)}, METRICS["accuracy"].value)[""]


def means(bootstrap, scores):
    return drawn(bootstrap, scores).draws


def accuracy_interval(correct, groups, draws=10_000):
    return drawn(Bootstrap(groups, len(correct), draws=draws), correct).interval()


def test_means_of_the_draws_follow_from_their_counts():
    groups = np.array([7, 7, 3, 9])
    scores = np.array([[1.0, 0, 1, 1], [0.0, 0, 1, 0]])
    bootstrap = Bootstrap(groups, 2, draws=50, seed=1)
    drawn_means = means(bootstrap, scores)
    order = [3, 7, 9]  # groups sorted
    for draw in range(50):
        right = size = 0.0
        for g, seed in itertools.product(range(3), range(2)):
            times = float(bootstrap.group_counts[draw, g]) * bootstrap.seed_counts[draw, seed]
            inside = groups == order[g]
            right += times * scores[seed, inside].sum()
            size += times * inside.sum()
        assert drawn_means[draw] == pytest.approx(right / size, abs=1e-12)


def test_each_draw_takes_as_many_groups_and_seeds_as_there_are():
    bootstrap = Bootstrap(ARANGE(37), 5, draws=200)
    assert (bootstrap.group_counts.sum(axis=1) == 37).all()
    assert (bootstrap.seed_counts.sum(axis=1) == 5).all()
    # uniform: each group is expected 200 times, standard deviation about 14
    assert 130 < bootstrap.group_counts.sum(axis=0).min() <= bootstrap.group_counts.sum(axis=0).max() < 270


def test_one_seed_and_single_questions_give_the_binomial_standard_error():
    n, share = 400, 0.3
    correct = (ARANGE(n) < share * n).astype(float)[None, :]
    found = accuracy_interval(correct, ARANGE(n))
    se = np.sqrt(share * (1 - share) / n)  # .0229
    assert found.value == pytest.approx(share, abs=1e-12)
    assert found.se == pytest.approx(se, rel=0.05)
    assert found.low == pytest.approx(share - 1.96 * se, abs=0.005)
    assert found.high == pytest.approx(share + 1.96 * se, abs=0.005)


def test_questions_of_one_group_are_not_counted_as_independent():
    # 50 groups of 8 equal answers: the standard error is that of 50 questions, not of 400
    correct = np.repeat(ARANGE(50) % 2, 8).astype(float)[None, :]
    together = accuracy_interval(correct, np.repeat(ARANGE(50), 8))
    assert together.se == pytest.approx(np.sqrt(0.25 / 50), rel=0.05)
    assert accuracy_interval(correct, ARANGE(400)).se == pytest.approx(np.sqrt(0.25 / 400), rel=0.05)


def test_seeds_that_differ_widen_the_interval():
    # all questions alike within a seed, seed means .2 and .8: drawing 2 of 2 seeds gives variance .09 / 2
    correct = np.stack([np.full(100, 0.2), np.full(100, 0.8)])
    found = accuracy_interval(correct, ARANGE(100))
    assert found.se == pytest.approx(np.sqrt(0.09 / 2), rel=0.05)
    assert (found.low, found.high) == (pytest.approx(0.2), pytest.approx(0.8))


def test_the_same_draws_serve_every_arm_so_differences_stay_paired():
    bootstrap = Bootstrap(ARANGE(60), 3, draws=500, seed=4)
    rng = np.random.default_rng(0)
    a = (rng.random((3, 60)) < 0.5).astype(float)
    np.testing.assert_allclose(means(bootstrap, a + 0.25) - means(bootstrap, a), 0.25, atol=1e-12)
    again = Bootstrap(ARANGE(60), 3, draws=500, seed=4)
    np.testing.assert_array_equal(means(again, a), means(bootstrap, a))
    assert not np.array_equal(means(Bootstrap(ARANGE(60), 3, draws=500, seed=5), a), means(bootstrap, a))


def test_group_codes_are_names_only():
    correct = np.array([[1.0, 0, 1, 1, 0, 1]])
    a = accuracy_interval(correct, np.array([0, 0, 1, 1, 2, 2]), draws=300)
    b = accuracy_interval(correct, np.array([-5, -5, 7, 7, 10**9, 10**9]), draws=300)
    assert a == b


def test_scores_that_do_not_fit_or_are_missing_are_refused():
    bootstrap = Bootstrap(ARANGE(4), 2, draws=10)
    with pytest.raises(DataError, match=r"shape \(1, 4, 2\) do not fit 2 seeds and 4 questions"):
        means(bootstrap, np.ones((1, 4)))
    with pytest.raises(DataError, match="1 answers have statistics that are not finite"):
        means(bootstrap, np.array([[1.0, 0, 1, np.nan], [1, 1, 1, 1]]))
    with pytest.raises(DataError, match="0 questions"):
        Bootstrap(np.array([], dtype=np.int64), 1)


def test_twelve_arms_of_a_full_experiment_take_seconds():
    rng = np.random.default_rng(0)
    arms = {f"arm {i}": counted((rng.random((5, 3000)) < 0.7).astype(float)) for i in range(12)}
    start = time.process_time()
    found = Bootstrap(ARANGE(3000), 5).draw_all(arms, METRICS["accuracy"].value)
    assert time.process_time() - start < 10  # about 1 s on a free core
    # questions .7 * .3 / 3000 and seeds within that: the standard error is about sqrt(.21 / 15000) to twice that
    assert all(0.003 < arm.interval().se < 0.01 for arm in found.values())

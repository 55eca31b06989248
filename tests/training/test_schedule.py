"""Steps, rates and row order are pure functions."""

import math

import numpy as np
import pytest

from outgrow.training.config import TrainConfig
from outgrow.training.schedule import checkpoint_steps, learning_rate, permutation, rows_of_step, total_steps


@pytest.mark.parametrize(
    ("n_pool", "epochs", "batch_size", "steps"),
    [
        (1000, 3.0, 32, 96),  # 3 x ceil(31.25)
        (1000, 0.5, 32, 16),
        (10, 1.1, 1, 11),  # and not 12: 1.1 is taken as written, not as its binary neighbour
        (1, 0.1, 32, 1),
    ],
)
def test_steps_are_epochs_times_batches_of_the_pool(n_pool, epochs, batch_size, steps):
    assert total_steps(n_pool, TrainConfig(epochs=epochs, batch_size=batch_size)) == steps


def test_checkpoints_are_evenly_spaced_and_end_with_the_last_step():
    assert checkpoint_steps(9, 3) == (3, 6, 9)
    assert checkpoint_steps(10, 4) == (2, 5, 8, 10)  # 2.5, 5, 7.5, 10, halves to even
    assert checkpoint_steps(2, 5) == (1, 2)
    assert checkpoint_steps(7, 1) == (7,)


def test_rate_rises_over_the_warm_up_and_falls_linearly():
    config = TrainConfig(learning_rate=1.0, warmup=0.2)
    # 10 steps, 2 of warm-up: 1/2, 1, then (1 - done) with done = 0/8, 1/8, ...
    rates = [learning_rate(step, 10, config) for step in range(10)]
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.875, 0.75, 0.625, 0.5, 0.375, 0.25, 0.125])


def test_cosine_is_half_way_down_in_the_middle_and_constant_stays():
    cosine = TrainConfig(learning_rate=1.0, warmup=0.0, schedule="cosine")
    assert learning_rate(5, 10, cosine) == pytest.approx(0.5)
    assert learning_rate(1, 10, cosine) == pytest.approx(0.5 * (1 + math.cos(math.pi / 10)))
    constant = TrainConfig(learning_rate=1.0, warmup=0.1, schedule="constant")
    assert [learning_rate(step, 20, constant) for step in range(4)] == [0.5, 1.0, 1.0, 1.0]


def test_every_epoch_is_a_permutation_of_all_rows_though_steps_cross_epochs():
    stream = np.concatenate([rows_of_step(step, n_rows=7, batch_size=4, seed=3) for step in range(7)])
    assert len(stream) == 28
    for epoch in range(4):
        own = stream[7 * epoch : 7 * (epoch + 1)]
        assert sorted(own) == list(range(7))
        assert list(own) == list(permutation(7, 3, epoch))


def test_a_set_smaller_than_the_batch_repeats_within_a_step():
    rows = rows_of_step(0, n_rows=3, batch_size=8, seed=0)
    assert len(rows) == 8
    assert np.bincount(rows, minlength=3).min() >= 2  # two whole epochs and two more rows


def test_order_depends_on_seed_and_epoch():
    orders = {tuple(permutation(50, seed, epoch)) for seed in range(3) for epoch in range(3)}
    assert len(orders) == 9


def test_rows_of_one_question_can_be_kept_together():
    question = np.array([0, 1, 2, 0, 1, 2, 0, 3])
    orders = [permutation(8, seed, 0, question) for seed in range(20)]
    for order in orders:
        assert sorted(order.tolist()) == list(range(8))
        own = question[order]
        assert 1 + np.count_nonzero(own[1:] != own[:-1]) == 4  # each question's rows stand in one block
    assert len({tuple(question[order].tolist()) for order in orders}) > 10  # questions are shuffled
    assert len({tuple(order[question[order] == 0].tolist()) for order in orders}) > 3  # and the rows of each
    stream = np.concatenate([rows_of_step(step, 8, 3, 5, question) for step in range(8)])
    assert stream.tolist() == [
        *permutation(8, 5, 0, question),
        *permutation(8, 5, 1, question),
        *permutation(8, 5, 2, question),
    ]

"""Calibration of scores presented as P(correct)."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from outgrow.core.errors import DataError
from outgrow.evaluation import brier, ece, equal_mass_bins


def test_bins_hold_equal_mass_and_never_split_ties():
    assert equal_mass_bins(np.array([0.1, 0.2, 0.3, 0.4, 0.5, 0.6]), 3).tolist() == [0, 0, 1, 1, 2, 2]
    # the four equal scores stay together: their middle, 4/6, falls into the last third
    assert equal_mass_bins(np.array([0.1, 0.2, 0.5, 0.5, 0.5, 0.5]), 3).tolist() == [0, 0, 1, 1, 1, 1]
    assert equal_mass_bins(np.full(6, 0.5), 15).tolist() == [0] * 6


def test_ece_by_hand():
    prob = np.array([0.2, 0.2, 0.2, 0.2, 0.9, 0.9])
    correct = np.array([True, False, False, True, True, False])
    # bins {.2 x4} with .5 right, {.9 x2} with .5 right: 4/6 * .3 + 2/6 * .4
    found = ece(prob, correct, bins=2, draws=200)
    assert found.value == pytest.approx(4 / 6 * 0.3 + 2 / 6 * 0.4, abs=1e-12)
    assert found.count.tolist() == [4, 2]
    np.testing.assert_allclose(found.confidence, [0.2, 0.9])
    np.testing.assert_allclose(found.accuracy, [0.5, 0.5])
    assert found.expected == pytest.approx((4 / 6 * np.sqrt(0.16 / 4) + 2 / 6 * np.sqrt(0.09 / 2)) * np.sqrt(2 / np.pi))
    # squared gaps less a (1 - a) / (n - 1): 4/6 * (.09 - .25/3) + 2/6 * (.16 - .25/1), below 0
    assert found.debiased == 0.0


def test_the_debiased_error_by_hand():
    prob, correct = np.repeat([0.2, 0.9], 4), np.array([True, True, True, False, False, False, False, True])
    # shares right .75 and .25: gaps .55 and .65; a (1 - a) / (n - 1) = .1875 / 3 in both
    found = ece(prob, correct, bins=2, draws=10)
    assert found.debiased == pytest.approx(np.sqrt((0.55**2 + 0.65**2) / 2 - 0.0625), abs=1e-12)


@pytest.mark.parametrize("shift", [0.0, 0.03, 0.1])
def test_the_interval_holds_the_truth_as_often_as_it_says_even_where_there_is_no_error(shift):
    rng = np.random.default_rng(0)
    held, values, expected, squares = [], [], [], []
    for k in range(150):
        prob = rng.uniform(0.3, 0.8, 400)
        found = ece(prob, rng.random(400) < prob - shift, draws=400, seed=k)
        held.append(found.low <= shift <= found.high)
        values.append(found.value)
        expected.append(found.expected)
        squares.append(found.debiased**2)
    assert np.mean(held) >= 0.94
    if shift == 0:  # the plain error is that of finite bins, the debiased one hardly there
        assert np.mean(values) == pytest.approx(np.mean(expected), rel=0.05)
        assert np.mean(values) > 0.06
    else:
        assert np.mean(squares) == pytest.approx(shift**2, abs=0.0012)


def test_a_certain_and_right_score_has_no_error_at_all():
    found = ece(np.ones(10), np.ones(10, bool), draws=100)
    assert (found.value, found.debiased, found.low, found.high) == (0.0, 0.0, 0.0, 0.0)


def test_the_interval_resamples_groups_whole():
    rng = np.random.default_rng(2)
    prob = np.full(400, 0.5)
    correct = np.repeat(rng.random(20) < 0.8, 20)
    alone = ece(prob, correct, draws=2000)
    grouped = ece(prob, correct, groups=np.repeat(np.arange(20), 20), draws=2000)
    assert grouped.high - grouped.low > 1.5 * (alone.high - alone.low)


def test_brier_by_hand():
    # (.5^2 + .1^2 + 1) / 3
    assert brier(np.array([0.5, 0.9, 1.0]), np.array([False, True, False])) == pytest.approx(1.26 / 3, abs=1e-12)


def test_what_is_not_a_probability_is_refused():
    with pytest.raises(DataError, match=r"2 probabilities are not in 0 to 1; the first is .*-0\.5"):
        ece(np.array([0.1, -0.5, np.nan]), np.ones(3, bool))
    with pytest.raises((DataError, TypeCheckError)):
        brier(np.ones(2), np.ones(3, bool))

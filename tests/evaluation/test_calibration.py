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
    assert found.low <= found.value <= found.high


def test_debiasing_takes_off_what_noise_adds_to_a_calibrated_score():
    rng = np.random.default_rng(0)
    plain, debiased = [], []
    for _ in range(200):
        prob = rng.uniform(0.2, 0.8, 300)
        found = ece(prob, rng.random(300) < prob, draws=1)
        plain.append(found.value)
        debiased.append(found.debiased)
    # a bin's gap is about N(0, s): plain E|d| = sqrt(2/pi) s; expected under redrawing E|N(0, 2 s^2)| = sqrt(2) times
    # that; so what stays is the share 2 - sqrt(2) = .586
    assert np.mean(debiased) / np.mean(plain) == pytest.approx(2 - np.sqrt(2), abs=0.06)


def test_debiasing_agrees_with_redrawing_the_bins():
    rng = np.random.default_rng(1)
    prob = np.repeat([0.3, 0.6, 0.9], 40)
    correct = rng.random(120) < np.repeat([0.35, 0.5, 0.7], 40)
    found = ece(prob, correct, bins=3, draws=1)
    sd = np.sqrt(found.accuracy * (1 - found.accuracy) / found.count)
    redrawn = np.abs(found.confidence - rng.normal(found.accuracy, sd, size=(200_000, 3))).mean(axis=0).mean()
    assert found.debiased == pytest.approx(2 * found.value - redrawn, abs=1e-3)


def test_a_certain_and_right_score_has_no_error_at_all():
    found = ece(np.ones(10), np.ones(10, bool), draws=100)
    assert (found.value, found.debiased, found.low, found.high) == (0.0, 0.0, 0.0, 0.0)


def test_the_interval_resamples_groups_whole():
    rng = np.random.default_rng(2)
    prob = np.full(400, 0.5)
    correct = np.repeat(rng.random(20) < 0.9, 20)
    alone = ece(prob, correct, draws=2000)
    grouped = ece(prob, correct, groups=np.repeat(np.arange(20), 20), draws=2000)
    assert grouped.high - grouped.low > 2 * (alone.high - alone.low)


def test_brier_by_hand():
    # (.5^2 + .1^2 + 1) / 3
    assert brier(np.array([0.5, 0.9, 1.0]), np.array([False, True, False])) == pytest.approx(1.26 / 3, abs=1e-12)


def test_what_is_not_a_probability_is_refused():
    with pytest.raises(DataError, match=r"2 probabilities are not in 0 to 1; the first is .*-0\.5"):
        ece(np.array([0.1, -0.5, np.nan]), np.ones(3, bool))
    with pytest.raises((DataError, TypeCheckError)):
        brier(np.ones(2), np.ones(3, bool))

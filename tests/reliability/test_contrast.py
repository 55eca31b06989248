"""Contrast-consistent search: its loss by hand, and truth read off states without labels."""

import numpy as np
import pytest

from outgrow.core.errors import DataError
from outgrow.reliability.contrast import ContrastProbe, _loss, contrast_consistent, contrast_loss


def test_loss_by_hand():
    """(.8, .3): (1 - 1.1)^2 + .3^2. (.5, .2, .1): (1 - .8)^2 + .2^2 + .1^2."""
    assert contrast_loss(np.array([[0.8, 0.3]])) == pytest.approx(0.10, abs=1e-15)
    assert contrast_loss(np.array([[0.5, 0.2, 0.1]])) == pytest.approx(0.09, abs=1e-15)
    assert contrast_loss(np.array([[0.8, 0.3], [0.0, 1.0]])) == pytest.approx(0.05, abs=1e-15)


@pytest.mark.parametrize("options", [2, 5])
def test_slope_is_that_of_the_loss(options):
    truths = np.random.default_rng(0).uniform(0.05, 0.95, (4, options))
    _, slope = _loss(truths)
    for place in np.ndindex(*truths.shape):
        step = np.zeros_like(truths)
        step[place] = 1e-6
        assert slope[place] == pytest.approx((_loss(truths + step)[0] - _loss(truths - step)[0]) / 2e-6, abs=1e-8)


def states_of(truth, options, rng):
    """States with noise of the question, a large mean of the place, and one direction in which truth lies."""
    width = 24
    direction = np.eye(width)[3]
    sign = np.where(np.arange(options) == truth[:, None], 1.0, -1.0)[..., None]
    shared = rng.normal(size=(len(truth), 1, width)) + 5 * rng.normal(size=(1, options, width))
    return shared + 0.5 * rng.normal(size=(len(truth), options, width)) + 3 * sign * direction


@pytest.mark.parametrize("right", [0.6, 0.4])
def test_two_sides_are_told_apart_and_named_by_what_is_said(right):
    """The sign follows what is said on most questions, so what is mostly wrong turns it round."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 2, 400)
    states = states_of(truth, 2, rng)
    said = np.where(np.arange(200) < 200 * right, truth[:200], 1 - truth[:200])
    found = contrast_consistent(states[:200], said).logs(states[200:]).argmax(axis=1)
    assert ((found == truth[200:]).mean() > 0.98) == (right > 0.5)
    assert (found == truth[200:]).mean() in (pytest.approx(0.0, abs=0.02), pytest.approx(1.0, abs=0.02))


def test_the_true_one_of_four_is_found_whatever_is_said():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 4, 400)
    states = states_of(truth, 4, rng)
    found = contrast_consistent(states[:200], np.zeros(200, np.int64)).logs(states[200:])
    assert (found.argmax(axis=1) == truth[200:]).mean() > 0.98
    np.testing.assert_allclose(np.exp(found).sum(axis=1), 1.0)


def test_probabilities_of_two_options_are_the_published_mean():
    probe = ContrastProbe(np.zeros((2, 1)), np.ones((1, 1)), np.zeros(1))
    states = np.log(np.array([[[0.8 / 0.2], [0.3 / 0.7]]]))
    np.testing.assert_allclose(probe.truths(states), [[0.8, 0.3]])
    np.testing.assert_allclose(np.exp(probe.logs(states)), [[0.75, 0.25]])  # (.8 + 1 - .3) / 2


def test_it_takes_two_options():
    for shape in ((0, 2, 3), (5, 1, 3)):
        with pytest.raises(DataError, match="needs two options a question"):
            contrast_consistent(np.zeros(shape), np.zeros(shape[0], np.int64))

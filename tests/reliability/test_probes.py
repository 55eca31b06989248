"""Linear probes of hidden states, neighbours, and the topological filter."""

import numpy as np
import pytest

from outgrow.core.errors import DataError
from outgrow.reliability.probes import (
    logistic,
    nearest_centroid,
    neighbour_shares,
    neighbours,
    out_of_fold,
    topological_filter,
)

X = np.array([[2.0, 0.0], [4.0, 0.0], [0.0, 2.0], [0.0, 4.0]])
Y = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])


def test_centroid_is_the_mean_direction_from_the_common_mean():
    """Mean (1.5, 1.5). (2, 0) lies at (.5, -1.5), (4, 0) at (2.5, -1.5); of length 1: (.31623, -.94868) and (.85749,
    -.51450). Their sum (1.17372, -1.46318) has length 1.87575, so the centroid is (.62574, -.78005)."""
    probe = nearest_centroid(X, Y, temperature=1.0)
    np.testing.assert_allclose(probe.mean, [1.5, 1.5])
    np.testing.assert_allclose(probe.weight[0], [0.62574, -0.78005], atol=2e-5)
    np.testing.assert_allclose(probe.weight[1], [-0.78005, 0.62574], atol=2e-5)
    # at (2.5, .5), which is (1, -1) / sqrt 2 from the mean: cosines .99402 and -.99402
    logs = probe.logs(np.array([[2.5, 0.5]]))
    np.testing.assert_allclose(np.exp(logs), [[1 / (1 + np.exp(-1.98804)), 1 / (1 + np.exp(1.98804))]], atol=1e-5)


def test_temperature_does_not_move_the_nearest():
    rng = np.random.default_rng(0)
    states, shares = rng.normal(size=(60, 5)), np.eye(3)[rng.integers(0, 3, 60)]
    found = [nearest_centroid(states, shares, temperature=t).logs(states).argmax(1) for t in (0.01, 1.0)]
    np.testing.assert_array_equal(*found)


@pytest.mark.parametrize("fit", [nearest_centroid, logistic])
def test_noise_that_depends_on_the_class_alone_leaves_the_direction(fit):
    """Three classes in ten dimensions, 35 % of the labels drawn anew: both read the truth off nearly always."""
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 3, 900)
    states = 4 * np.eye(10)[truth] + rng.normal(size=(900, 10)) + 7.0
    weak = np.where(rng.random(900) < 0.35, rng.integers(0, 3, 900), truth)
    assert (weak == truth).mean() < 0.8
    assert (fit(states, np.eye(3)[weak]).logs(states).argmax(1) == truth).mean() > 0.97


@pytest.mark.parametrize("fit", [nearest_centroid, logistic])
def test_a_class_without_a_label_is_never_chosen(fit):
    probe = fit(X, np.concatenate([Y, np.zeros((4, 1))], axis=1))
    assert np.exp(probe.logs(X))[:, 2].tolist() == [0.0] * 4


def test_logistic_regression_is_scikit_learns_and_takes_soft_labels_as_weights():
    from sklearn.linear_model import LogisticRegression

    rng = np.random.default_rng(2)
    for classes in (2, 4):
        states, shares = rng.normal(size=(80, 6)) + 3.0, rng.dirichlet([1.0] * classes, 80)
        probe = logistic(states, shares, c=0.5)
        scaled = states - states.mean(0)
        scaled /= np.sqrt((scaled**2).mean())
        model = LogisticRegression(C=0.5, max_iter=5000, tol=1e-8)
        model.fit(np.repeat(scaled, classes, axis=0), np.tile(np.arange(classes), 80), sample_weight=shares.ravel())
        np.testing.assert_allclose(np.exp(probe.logs(states)), model.predict_proba(scaled), atol=1e-3)


def test_logistic_regression_of_one_class_says_that_class():
    assert logistic(X, np.ones((4, 1))).logs(X).tolist() == [[0.0]] * 4


def test_out_of_fold_never_sees_the_own_label():
    rng = np.random.default_rng(3)
    states, label = rng.normal(size=(40, 4)), rng.integers(0, 2, 40)
    folds = np.arange(40) % 5
    before = out_of_fold(nearest_centroid, states, np.eye(2)[label], folds)
    label[7] = 1 - label[7]
    after = out_of_fold(nearest_centroid, states, np.eye(2)[label], folds)
    np.testing.assert_array_equal(before[folds == folds[7]], after[folds == folds[7]])
    assert np.abs(before - after).max() > 1e-3
    with pytest.raises(DataError, match="all 40 rows are in one"):
        out_of_fold(nearest_centroid, states, np.eye(2)[label], np.zeros(40, np.int64))


def test_neighbours_are_others_even_where_states_are_equal():
    states = np.array([[1.0, 0.0]] * 4 + [[0.0, 1.0]] * 2)
    found = neighbours(states, 2)
    assert found.shape == (6, 2)
    assert all(i not in row for i, row in enumerate(found.tolist()))
    assert all(set(row) < {0, 1, 2, 3} for row in found[:4].tolist())
    assert neighbours(states, 50).shape == (6, 5)
    np.testing.assert_allclose(neighbour_shares(X, Y, k=1), Y)


def test_topological_filter_keeps_the_largest_part_of_each_class():
    """Two groups of six, joined to their three nearest; one of each bears the label of the other."""
    angle = np.concatenate([np.linspace(0.0, 0.1, 6), np.linspace(1.5, 1.6, 6)])
    states = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    label = np.repeat([0, 1], 6)
    label[2], label[9] = 1, 0
    keep = topological_filter(states, label, k=3)
    assert np.flatnonzero(~keep).tolist() == [2, 9]


def test_a_probe_needs_states():
    with pytest.raises(DataError, match="there are none"):
        nearest_centroid(np.zeros((0, 3)), np.zeros((0, 2)))

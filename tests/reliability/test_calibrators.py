"""Features to P(correct): parity with scikit-learn, hand-computed plateaus, and what holds for all of them."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from outgrow.core.errors import ConfigError, DataError
from outgrow.reliability import fit_calibrator

KINDS = ("platt", "beta", "isotonic")


def column(*values):
    return np.array(values, dtype=np.float64)[:, None]


def drawn(n, seed=0):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2))
    p = 1 / (1 + np.exp(-(0.8 + 1.5 * x[:, 0] - 0.5 * x[:, 1])))
    return x, rng.random(n) < p, p


def test_platt_is_scikit_learns_penalised_logistic_regression_on_standardised_features():
    x, right, _ = drawn(200)
    oracle = make_pipeline(StandardScaler(), LogisticRegression(C=0.3, max_iter=1000)).fit(x, right)
    new = drawn(50, seed=1)[0]
    assert np.allclose(fit_calibrator(x, right, "platt")(new), oracle.predict_proba(new)[:, 1], atol=1e-12)


def test_beta_is_a_logistic_regression_on_the_two_logarithms_of_the_platt_score():
    x, right, _ = drawn(400)
    s = fit_calibrator(x, right, "platt")(x)
    logs = np.stack([np.log(s), -np.log(1 - s)], axis=1)
    oracle = LogisticRegression(C=0.3, max_iter=1000).fit(logs, right)
    assert (oracle.coef_ > 0).all()  # else the constrained fit differs
    assert np.allclose(fit_calibrator(x, right, "beta")(x), oracle.predict_proba(logs)[:, 1], atol=1e-9)


def test_isotonic_by_hand():
    # A right label is made up at the lowest score, a wrong one at the highest: shares 1/2, 0, 1, 1/2 of 2, 1, 1, 2
    # labels. Pooling the violators: (1 + 0)/3 and (1 + 1)/3.
    predict = fit_calibrator(column(0, 1, 2, 3), np.array([False, False, True, True]), "isotonic")
    assert np.allclose(predict(column(-5, 0, 3, 9)), [1 / 3, 1 / 3, 2 / 3, 2 / 3], atol=1e-12)
    # Symmetric, so the straight line between the plateaus' centres passes 1/2 in the middle.
    assert predict(column(1.5))[0] == pytest.approx(0.5, abs=1e-6)


def test_an_end_plateau_of_n_right_labels_is_n_over_n_plus_one():
    n = 7
    predict = fit_calibrator(column(*range(2 * n)), np.array([False] * n + [True] * n), "isotonic")
    assert predict(column(100))[0] == pytest.approx(n / (n + 1), abs=1e-12)
    assert predict(column(-100))[0] == pytest.approx(1 / (n + 1), abs=1e-12)


def test_isotonic_of_equal_scores_is_the_share_right_with_one_more_of_each():
    predict = fit_calibrator(column(1, 1, 1), np.array([True, True, False]), "isotonic")
    assert predict(column(1, 5)) == pytest.approx([3 / 5, 3 / 5])


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_probabilities_lie_strictly_between_0_and_1_and_rise_with_the_platt_score(kind, data):
    n = data.draw(st.integers(4, 40))
    values = st.floats(-5, 5, allow_nan=False).map(lambda v: round(v, 2))
    x = np.array(data.draw(st.lists(values, min_size=n, max_size=n)))[:, None]
    right = np.array([True, False, *data.draw(st.lists(st.booleans(), min_size=n - 2, max_size=n - 2))])
    grid = np.linspace(-8, 8, 40)[:, None]
    found = fit_calibrator(x, right, kind)(grid)
    assert ((found > 0) & (found < 1)).all()
    by_score = np.argsort(fit_calibrator(x, right, "platt")(grid), kind="stable")
    assert (np.diff(found[by_score]) >= -1e-9).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_constant_feature_changes_nothing(kind):
    x, right, _ = drawn(100)
    wider = np.column_stack([x, np.full(100, 0.3)])
    assert np.allclose(fit_calibrator(wider, right, kind)(wider), fit_calibrator(x, right, kind)(x), atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_with_many_known_labels_the_true_probabilities_are_found(kind):
    x, right, _ = drawn(20_000)
    new, _, p = drawn(2_000, seed=1)
    assert np.abs(fit_calibrator(x, right, kind)(new) - p).mean() < 0.02


@pytest.mark.parametrize(("right", "what"), [([True] * 3, "all 3 known labels are right"), ([False] * 3, "wrong")])
def test_labels_all_right_or_all_wrong_teach_nothing(right, what):
    with pytest.raises(DataError, match=what):
        fit_calibrator(column(1, 2, 3), np.array(right))


def test_an_unknown_kind_is_refused_with_the_list():
    with pytest.raises(ConfigError, match="'plat'; choose one of platt, beta, isotonic"):
        fit_calibrator(column(1, 2), np.array([True, False]), "plat")

"""AUROC and risk-coverage, ties included."""

from itertools import permutations

import numpy as np
import pytest
from jaxtyping import TypeCheckError

from outgrow.core.errors import DataError
from outgrow.evaluation import aurc, auroc, risk_coverage

RIGHT = np.array([True, False, True, False, True])


def test_auroc_counts_pairs_and_ties_one_half():
    # right .9 .5 .5, wrong .5 .1: pairs: .9>.5 .9>.1 .5=.5 .5>.1 .5=.5 .5>.1 -> (4 + 2 * .5) / 6
    assert auroc(np.array([0.9, 0.5, 0.5, 0.1, 0.5]), RIGHT) == pytest.approx(5 / 6, abs=1e-12)


def test_auroc_of_a_constant_is_one_half_and_of_one_class_undefined():
    assert auroc(np.zeros(5), RIGHT) == 0.5
    assert np.isnan(auroc(np.arange(5.0), np.ones(5, bool)))
    assert np.isnan(auroc(np.arange(5.0), np.zeros(5, bool)))


def test_auroc_takes_infinite_scores_and_refuses_nan():
    assert auroc(np.array([np.inf, -np.inf, 0.0, -np.inf, 1.0]), RIGHT) == 1.0
    with pytest.raises(DataError, match="1 of 5 scores are NaN"):
        auroc(np.array([np.nan, 0, 0, 0, 0]), RIGHT)
    with pytest.raises((DataError, TypeCheckError)):
        auroc(np.zeros(4), RIGHT)


def test_risk_without_ties_is_the_share_wrong_among_the_best():
    # order by score: right, wrong, right, right, wrong
    found = risk_coverage(np.array([5.0, 4, 3, 1, 2]), RIGHT)
    np.testing.assert_allclose(found.coverage, [0.2, 0.4, 0.6, 0.8, 1.0])
    np.testing.assert_allclose(found.risk, [0, 1 / 2, 1 / 3, 1 / 4, 2 / 5])
    assert found.aurc == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 4 + 2 / 5) / 5)


def test_risk_among_ties_is_its_mean_over_all_orders():
    score = np.array([2.0, 1, 1, 1, 0])
    wrong = ~RIGHT
    curves = [np.cumsum(wrong[[0, *middle, 4]]) / np.arange(1, 6) for middle in permutations([1, 2, 3])]
    np.testing.assert_allclose(risk_coverage(score, RIGHT).risk, np.mean(curves, axis=0), atol=1e-12)
    assert aurc(score, RIGHT) == pytest.approx(float(np.mean(curves)), abs=1e-12)


def test_a_thinned_curve_keeps_its_end_and_at_most_as_many_points():
    rng = np.random.default_rng(0)
    full = risk_coverage(rng.random(1234), rng.random(1234) < 0.7)
    thin = full.thinned(200)
    assert len(thin.coverage) == 200
    assert thin.coverage[-1] == 1.0
    assert thin.risk[-1] == full.risk[-1]
    assert full.thinned(5000).risk.tolist() == full.risk.tolist()


def test_nothing_has_no_curve():
    with pytest.raises(DataError, match="at least one item"):
        risk_coverage(np.zeros(0), np.zeros(0, bool))


def test_contributions_have_the_auroc_for_their_mean_and_its_error_for_their_spread():
    from outgrow.evaluation import auroc_contributions

    score = np.array([0.9, 0.5, 0.5, 0.1, 0.5])
    found = auroc_contributions(score, RIGHT)
    assert found.mean() == pytest.approx(auroc(score, RIGHT), abs=1e-12)
    # right items beat 2, 1.5 and 1.5 of 2 wrong ones, wrong items lose to 2 and 3 of 3; 3/5 and 2/5 are the shares
    placed = np.array([1.0, 2 / 3, 0.75, 1.0, 0.75])
    np.testing.assert_allclose(found, 5 / 6 + (placed - 5 / 6) / np.where(RIGHT, 0.6, 0.4), atol=1e-12)
    rng, drawn = np.random.default_rng(0), []
    right = rng.random(300) < 0.6
    score = np.round(right + rng.normal(size=300), 1)
    for _ in range(2000):
        pick = rng.integers(300, size=300)
        drawn.append(auroc(score[pick], right[pick]))
    assert auroc_contributions(score, right).std() / np.sqrt(300) == pytest.approx(np.std(drawn), rel=0.05)
    assert np.isnan(auroc_contributions(np.zeros(3), np.ones(3, bool))).all()

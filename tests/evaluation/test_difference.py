"""Differences of two arms, their error, Holm's correction, and what could have been detected."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError
from scipy import stats

from outgrow.core.errors import DataError
from outgrow.evaluation import difference, holm, minimum_detectable_difference

A = np.array([[1.0, 1, 0, 1, 1, 0], [1.0, 0, 0, 1, 1, 1], [1.0, 1, 1, 1, 0, 1]])
B = np.array([[0.0, 1, 0, 1, 0, 0], [1.0, 0, 0, 0, 1, 0], [1.0, 0, 0, 1, 0, 1]])
GROUPS = np.array([0, 0, 1, 1, 2, 3])


def test_the_standard_error_adds_questions_and_seeds_by_hand():
    # seed-averaged differences per question: 1/3 1/3 1/3 1/3 1/3 1/3 ... by hand from A - B:
    #   seed 0: 1 0 0 0 1 0   seed 1: 0 0 0 1 0 1   seed 2: 0 1 1 0 0 0
    #   mean:   1/3 1/3 1/3 1/3 1/3 1/3, so the value is 1/3 and no question deviates: cluster part 0
    #   per seed: 1/3 1/3 1/3: seed part 0
    found = difference(A, B, GROUPS)
    assert found.value == pytest.approx(1 / 3, abs=1e-12)
    assert found.se == pytest.approx(0.0, abs=1e-9)


def test_cluster_and_seed_parts_by_hand():
    # two seeds, four questions in groups {0, 1}, {2}, {3}
    a = np.array([[1.0, 1, 0, 1], [1.0, 0, 0, 1]])
    b = np.array([[0.0, 0, 0, 1], [0.0, 0, 1, 1]])
    # differences: seed 0: 1 1 0 0 (mean .5); seed 1: 1 0 -1 0 (mean 0); question means: 1 .5 -.5 0, value .25
    # residual sums per group: (.75 + .25) = 1, -.75, -.25: squares 1 + .5625 + .0625 = 1.625
    # cluster SE^2 = 1.625 / 16 * 3/2 = .15234375; s^2(seeds) = .125, / 2 = .0625
    found = difference(a, b, np.array([0, 0, 1, 2]))
    se = np.sqrt(0.15234375 + 0.0625)
    assert found.value == 0.25
    assert found.se == pytest.approx(se, abs=1e-12)
    assert found.df == 1
    assert found.high - found.value == pytest.approx(12.7062047 * se, rel=1e-7)  # t(.975, 1)
    # with 1 degree of freedom t is Cauchy: p = 1 - 2 atan(t) / pi
    assert found.p == pytest.approx(1 - 2 * np.arctan(0.25 / se) / np.pi, abs=1e-12)


def test_without_seed_variance_and_groups_it_is_the_paired_t_standard_error():
    rng = np.random.default_rng(0)
    d = rng.normal(size=50)
    found = difference(np.stack([d, d]), np.zeros((2, 50)), np.arange(50))
    assert found.se == pytest.approx(stats.sem(d), abs=1e-12)


def test_swapping_the_arms_swaps_the_sign():
    there, back = difference(A, B * 0, GROUPS), difference(B * 0, A, GROUPS)
    assert (there.value, there.low, there.high) == (-back.value, -back.high, -back.low)
    assert there.p == back.p


def test_one_seed_has_an_error_of_questions_but_no_interval_and_no_p():
    found = difference(A[:1], B[:1], np.arange(6))
    # differences 1 0 0 0 1 0: mean 1/3, sum of squared residuals 2 - 6/9 = 4/3, / 36 * 6/5
    assert found.se == pytest.approx(np.sqrt(4 / 3 / 36 * 6 / 5), abs=1e-12)
    assert np.isnan([found.low, found.high, found.p]).all()
    assert found.df == 0


def test_one_group_has_no_standard_error():
    found = difference(A, B, np.zeros(6, dtype=np.int64))
    assert np.isnan([found.se, found.low, found.high, found.p]).all()


def test_equal_arms_differ_by_nothing_with_certainty():
    found = difference(A, A, GROUPS)
    assert (found.value, found.se, found.p) == (0.0, 0.0, 1.0)


def test_the_t_interval_covers_the_truth_as_often_as_it_says():
    # both sources of error at once: questions and seeds, 5 seeds; at least 95 % by construction (the two
    # parts overlap), and not hopelessly wide
    rng = np.random.default_rng(1)
    covered, n = 0, 400
    for _ in range(n):
        d = rng.normal(size=40)[None, :] * 0.5 + rng.normal(size=(5, 1)) * 0.1 + rng.normal(size=(5, 40)) * 0.3
        found = difference(d, np.zeros_like(d), np.arange(40))
        covered += found.low <= 0 <= found.high
    assert 0.94 < covered / n <= 1.0


def test_shapes_that_do_not_match_and_nan_are_refused():
    with pytest.raises((DataError, TypeCheckError)):
        difference(A, B[:2], GROUPS)
    with pytest.raises((DataError, TypeCheckError)):
        difference(A, B, GROUPS[:4])
    with pytest.raises(DataError, match="NaN"):
        difference(A * np.nan, B, GROUPS)


def test_holm_by_hand():
    # sorted .01 .02 .03 .04 times 4 3 2 1 = .04 .06 .06 .04, made monotone: .04 .06 .06 .06
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([]) == []


def test_holm_does_not_count_what_was_not_tested():
    found = holm([0.02, float("nan"), 0.5])
    assert found[0] == pytest.approx(0.04)
    assert np.isnan(found[1])
    assert found[2] == pytest.approx(0.5)


@pytest.mark.parametrize("df", [1, 2, 4, 30])
def test_the_minimum_detectable_difference_is_found_with_the_stated_power(df):
    # simulate t = (shift + z) / sqrt(chi2/df), shift = difference / se
    found = minimum_detectable_difference(0.01, df)
    rng = np.random.default_rng(df)
    n = 200_000
    t = (found / 0.01 + rng.normal(size=n)) / np.sqrt(rng.chisquare(df, size=n) / df)
    assert (np.abs(t) > stats.t.ppf(0.975, df)).mean() == pytest.approx(0.8, abs=0.005)


def test_with_many_degrees_of_freedom_it_is_the_textbook_value():
    assert minimum_detectable_difference(1.0, 10**6) == pytest.approx(1.959964 + 0.841621, abs=1e-3)


def test_the_minimum_detectable_difference_is_unknown_with_one_seed():
    assert np.isnan(minimum_detectable_difference(0.01, 0))
    assert np.isnan(minimum_detectable_difference(float("nan"), 4))

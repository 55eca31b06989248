"""Intervals from errors over questions and over seeds: by hand, against a crossed bootstrap, and by simulation."""

import numpy as np
import pytest
from jaxtyping import TypeCheckError
from scipy import stats

from outgrow.core.errors import DataError
from outgrow.evaluation import Joint, holm

A = np.array([[1.0, 1, 0, 1], [1.0, 0, 0, 1]])
B = np.array([[0.0, 0, 0, 1], [0.0, 0, 1, 1]])
GROUPS = np.array([0, 0, 1, 2])
GAIN = {"a": 1, "b": -1}


def test_both_errors_by_hand():
    # differences: seed 0: 1 1 0 0 (mean .5); seed 1: 1 0 -1 0 (mean 0); question means: 1 .5 -.5 0, value .25
    # residual sums per group: (.75 + .25) = 1, -.75, -.25: squares 1 + .5625 + .0625 = 1.625
    # over questions 1.625 / 16 * 3/2 = .15234375; s^2(seeds) = .125, / 2 = .0625
    joint = Joint({"a": A, "b": B}, GROUPS)
    found = joint.interval(GAIN)
    assert found.value == 0.25
    assert joint.errors(GAIN) == pytest.approx((0.15234375, 0.0625), abs=1e-12)
    assert found.se == pytest.approx(np.sqrt(0.15234375 + 0.0625), abs=1e-12)
    # t(.975) with 2 degrees of freedom (three groups) and with 1 (two seeds)
    half = np.sqrt(4.30265273**2 * 0.15234375 + 12.7062047**2 * 0.0625)
    assert found.high - found.value == pytest.approx(half, rel=1e-7)
    assert found.value - found.low == pytest.approx(half, rel=1e-7)


def test_p_is_the_level_at_which_the_interval_ends_at_zero():
    rng = np.random.default_rng(0)
    joint = Joint({"a": rng.normal(0.3, 1, (4, 60)), "b": rng.normal(0, 1, (4, 60))}, np.arange(60))
    found, (questions, seeds) = joint.interval(GAIN), joint.errors(GAIN)
    t = stats.t.isf(found.p / 2, [59, 3])
    assert abs(found.value) == pytest.approx(np.sqrt(t[0] ** 2 * questions + t[1] ** 2 * seeds), rel=1e-6)
    assert (found.p < 0.05) == (found.low > 0 or found.high < 0)


def test_without_an_error_of_questions_p_is_that_of_a_t_test_on_seeds():
    # with 1 degree of freedom t is Cauchy: p = 1 - 2 atan(t) / pi; two seeds, every question alike
    found = Joint({"a": np.array([[0.5] * 4, [0.1] * 4])}, np.arange(4)).interval({"a": 1})
    assert found.se == pytest.approx(0.2)
    assert found.p == pytest.approx(1 - 2 * np.arctan(0.3 / 0.2) / np.pi, abs=1e-9)


def test_without_an_error_of_seeds_it_is_a_t_test_on_questions():
    d = np.random.default_rng(0).normal(0.2, 1, size=50)
    found, wanted = Joint({"d": np.stack([d, d])}, np.arange(50)).interval({"d": 1}), stats.ttest_1samp(d, 0)
    assert (found.se, found.p) == (pytest.approx(stats.sem(d)), pytest.approx(wanted.pvalue, rel=1e-6))
    assert (found.low, found.high) == pytest.approx(tuple(wanted.confidence_interval()))


def test_a_difference_far_from_zero_has_a_tiny_p_and_none_has_one():
    far = Joint({"a": np.random.default_rng(1).normal(50, 1, (3, 400))}, np.arange(400)).interval({"a": 1})
    assert 0 < far.p < 1e-4  # two degrees of freedom from seeds
    same = Joint({"a": A, "b": A}, GROUPS).interval(GAIN)
    assert (same.value, same.se, same.low, same.high, same.p) == (0.0, 0.0, 0.0, 0.0, 1.0)
    certain = Joint({"a": np.ones((2, 4))}, GROUPS).interval({"a": 1})
    assert (certain.low, certain.high, certain.p) == (1.0, 1.0, 0.0)


def test_swapping_the_arms_swaps_the_sign():
    joint = Joint({"a": A, "b": B}, GROUPS)
    there, back = joint.interval(GAIN), joint.interval({"b": 1, "a": -1})
    assert (there.value, there.low, there.high) == pytest.approx((-back.value, -back.high, -back.low))
    assert there.p == pytest.approx(back.p)


def test_one_seed_has_an_error_of_questions_but_no_interval_and_no_p():
    joint = Joint({"a": A[:1], "b": B[:1]}, np.arange(4))
    found = joint.interval(GAIN)
    # differences 1 1 0 0: mean .5, sum of squared residuals 1, / 16 * 4/3
    assert found.se == pytest.approx(np.sqrt(1 / 16 * 4 / 3), abs=1e-12)
    assert np.isnan([found.low, found.high, found.p, joint.errors(GAIN).seeds, joint.detectable(GAIN)]).all()


def test_one_group_has_no_standard_error():
    joint = Joint({"a": A, "b": B}, np.zeros(4, dtype=np.int64))
    found = joint.interval(GAIN)
    assert np.isnan([found.se, found.low, found.high, found.p, joint.detectable(GAIN)]).all()


def test_the_standard_error_agrees_with_a_crossed_bootstrap():
    """Groups and seeds drawn with replacement, the same in both arms; over many seeds, where a bootstrap is good."""
    rng = np.random.default_rng(3)
    groups = np.arange(90) // 3
    shared = rng.normal(size=30)[groups] + rng.normal(size=90)
    a, b = (shared + rng.normal(size=(25, 1)) * 0.3 + rng.normal(size=(25, 90)) * k for k in (1.0, 0.6))
    drawn = []
    for _ in range(4000):
        times = np.bincount(rng.integers(30, size=30), minlength=30)[groups]
        seeds = rng.integers(25, size=25)
        drawn.append([np.average(arm[seeds].mean(axis=0), weights=times) for arm in (a, a - b)])
    joint = Joint({"a": a, "b": b}, groups)
    for weights, sd in zip(({"a": 1}, GAIN), np.std(drawn, axis=0), strict=True):
        assert joint.interval(weights).se == pytest.approx(sd, rel=0.08)


def test_the_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(1)
    covered, n = 0, 600
    for _ in range(n):
        d = rng.normal(size=40)[None, :] * 0.5 + rng.normal(size=(3, 1)) * 0.1 + rng.normal(size=(3, 40)) * 0.3
        found = Joint({"d": d}, np.arange(40)).interval({"d": 1})
        covered += found.low <= 0 <= found.high
    assert 0.94 <= covered / n <= 0.99


# Ratios -------------------------------------------------------------------------------------------------------------


def test_a_ratio_is_all_values_for_which_the_difference_may_be_zero():
    rng = np.random.default_rng(2)
    above, below = rng.normal(1, 1, (3, 80)), rng.normal(2, 1, (3, 80))
    joint = Joint({"a": above, "b": below}, np.arange(80))
    found = joint.ratio({"a": 1}, {"b": 1})
    assert found.low < found.value < found.high
    for end in (found.low, found.high):  # at the ends the interval of a - r b just touches 0
        own = Joint({"d": above - end * below}, np.arange(80)).interval({"d": 1})
        assert min(abs(own.low), abs(own.high)) == pytest.approx(0, abs=1e-9)
    assert found.least == pytest.approx(joint.interval({"b": 1}).low)


def test_a_ratio_over_what_may_be_zero_is_none():
    rng = np.random.default_rng(2)
    joint = Joint({"a": rng.normal(1, 1, (3, 80)), "b": rng.normal(0, 1, (3, 80))}, np.arange(80))
    found = joint.ratio({"a": 1}, {"b": 1})
    assert np.isnan([found.value, found.low, found.high]).all()
    assert found.least < 0


@pytest.mark.parametrize("n_seeds", [2, 5, 30])
def test_what_is_detectable_is_found_with_the_stated_power(n_seeds):
    rng = np.random.default_rng(n_seeds)
    seeds = rng.normal(0, 0.02, (n_seeds, 1))
    joint = Joint({"d": rng.normal(0, 0.3, 400) + seeds}, np.arange(400))
    value, (questions, over_seeds) = joint.detectable({"d": 1}), joint.errors({"d": 1})
    n = 200_000
    drawn = value + rng.normal(size=n) * np.sqrt(questions + over_seeds)
    spread = over_seeds * rng.chisquare(n_seeds - 1, size=n) / (n_seeds - 1)
    t = stats.t.ppf(0.975, [399, n_seeds - 1])
    assert (np.abs(drawn) > np.sqrt(t[0] ** 2 * questions + t[1] ** 2 * spread)).mean() == pytest.approx(0.8, abs=0.005)


def test_with_many_of_both_it_is_the_textbook_value():
    d = np.random.default_rng(0).normal(size=5000)
    joint = Joint({"d": np.stack([d] * 50)}, np.arange(5000))
    assert joint.detectable({"d": 1}) / joint.interval({"d": 1}).se == pytest.approx(1.959964 + 0.841621, abs=2e-3)


# Input --------------------------------------------------------------------------------------------------------------


def test_shapes_that_do_not_match_and_nan_are_refused():
    with pytest.raises((DataError, TypeCheckError)):
        Joint({"a": A, "b": B[:1]}, GROUPS)
    with pytest.raises((DataError, TypeCheckError)):
        Joint({"a": A, "b": B}, GROUPS[:3])
    with pytest.raises(DataError, match="NaN"):
        Joint({"a": A * np.nan, "b": B}, GROUPS)


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

"""Accuracy by level of entropy, and mean reliability by truth and label."""

import numpy as np
import pytest

from outgrow.evaluation import Level, entropy_levels, merge_small, reliability_heat, rises


def test_levels_count_right_and_wrong_per_entropy():
    entropy = np.array([0.0, 0.5, 0.0, 0.5000000001, np.nan, 0.0])
    found = entropy_levels(entropy, np.array([True, False, True, True, True, False]))
    assert [(lv.entropy, lv.right, lv.wrong) for lv in found] == [(0.0, 2, 1), (0.5, 1, 1)]
    assert found[0].accuracy == pytest.approx(2 / 3)


def test_the_interval_is_wilsons():
    # 8 of 10: textbook Wilson interval .4902 to .9433
    (found,) = entropy_levels(np.zeros(10), np.arange(10) < 8)
    assert (found.low, found.high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    (all_right,) = entropy_levels(np.zeros(5), np.ones(5, bool))
    assert all_right.high == 1.0
    assert all_right.low == pytest.approx(1 / (1 + 1.959964**2 / 5), abs=1e-6)


def levels(*counts):
    entropy = np.concatenate([np.full(r + w, float(i)) for i, (r, w) in enumerate(counts)])
    correct = np.concatenate([np.arange(r + w) < r for r, w in counts])
    return entropy_levels(entropy, correct)


def test_small_levels_join_the_next_and_a_small_last_one_joins_the_one_before():
    found = merge_small(levels((30, 10), (5, 5), (60, 0), (1, 2)), minimum=50)
    assert [(lv.right, lv.wrong) for lv in found] == [(35, 15), (61, 2)]
    assert found[0].entropy == pytest.approx((40 * 0 + 10 * 1) / 50)
    assert [lv.count for lv in merge_small(levels((1, 1), (2, 2)), minimum=50)] == [6]


def test_accuracy_that_rises_with_entropy_is_found_only_beyond_overlap():
    falling = levels((90, 10), (50, 50), (55, 45))
    assert rises(falling) == []
    (rise,) = rises(levels((50, 50), (90, 10)))
    assert isinstance(rise.lower, Level)
    assert (rise.lower.entropy, rise.higher.entropy) == (0.0, 1.0)


def test_the_heat_map_holds_mean_reliability_and_nan_where_nothing_is():
    found = reliability_heat(
        ["a", "a", "b", "b", "b"], ["a", "a", "a", None, "c"], np.array([1.0, 0.5, 0.4, 0.9, np.nan])
    )
    assert found.truth == found.label == ("a", "b")
    np.testing.assert_allclose(found.mean, [[0.75, np.nan], [0.4, np.nan]])
    assert found.count.tolist() == [[2, 0], [1, 0]]

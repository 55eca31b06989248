"""Errors that come together, by hand."""

import numpy as np
import pytest

from outgrow.core.errors import DataError
from outgrow.evaluation import error_overlap


def test_overlap_by_hand():
    """Of 8 items the one gets 4 wrong, the other 4, both 3: phi = (3/8 - 1/4) / (1/4) = .5; 2 of the 3 alike."""
    one = np.array([1, 1, 1, 1, 0, 0, 0, 0], dtype=bool)
    other = np.array([1, 1, 1, 0, 1, 0, 0, 0], dtype=bool)
    same = np.array([1, 1, 0, 0, 0, 1, 1, 1], dtype=bool)
    found = error_overlap(one, other, same, np.arange(8))
    assert found.correlation == pytest.approx(0.5)
    assert found.both_wrong == 3 / 8
    assert found.same_wrong == pytest.approx(2 / 3)
    assert found.disagreement == 3 / 8
    assert found.low < 0.5 < found.high


def test_groups_count_once():
    """The same 40 items ten times are 40 groups: the interval stays as wide as theirs."""
    rng = np.random.default_rng(0)
    one = rng.random(40) < 0.4
    other = np.where(rng.random(40) < 0.5, one, rng.random(40) < 0.4)
    alone = error_overlap(one, other, one == other, np.arange(40))
    many = error_overlap(*(np.tile(each, 10) for each in (one, other, one == other, np.arange(40))))
    assert (many.low, many.high) == pytest.approx((alone.low, alone.high), rel=1e-12)
    assert many.correlation == pytest.approx(alone.correlation)


def test_one_who_is_always_right_has_no_correlation():
    right, some = np.zeros(6, dtype=bool), np.arange(6) < 3
    found = error_overlap(right, some, ~some, np.arange(6))
    assert np.isnan(found.correlation)
    assert np.isnan(found.low)
    assert np.isnan(found.same_wrong)  # never wrong together
    assert found.both_wrong == 0


def test_nothing_to_compare_is_refused():
    none = np.zeros(0, dtype=bool)
    with pytest.raises(DataError, match="at least one item that both answered"):
        error_overlap(none, none, none, np.zeros(0, dtype=np.int64))

"""Histograms: every row in one bar, bars of round width, nothing lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.reporting.bars import MOST_BARS, bars_of_numbers, bars_of_words, round_edges


def test_few_levels_get_a_bar_each_in_ascending_order():
    found = bars_of_numbers(np.array([0.5623, 0.0, 0.69315, 0.5623]), missing="none")
    assert found.names == ["0.00", "0.56", "0.69"]
    assert found.rows == [1, 0, 2, 1]


def test_levels_that_two_decimals_would_merge_get_four():
    assert bars_of_numbers(np.array([0.991, 0.994]), missing="none").names == ["0.9910", "0.9940"]


def test_whole_numbers_are_written_whole():
    assert bars_of_numbers(np.array([3.0, 1000.0]), missing="none").names == ["3", "1,000"]


def test_a_missing_number_stands_in_a_bar_of_its_own_at_the_end():
    found = bars_of_numbers(np.array([np.nan, 1.0]), missing="undefined")
    assert (found.names, found.rows) == (["1", "undefined"], [1, 0])
    assert bars_of_numbers(np.array([np.nan]), missing="undefined") is None


def test_many_levels_fall_into_bars_of_a_tenth():
    values = np.arange(0, 101) / 100
    found = bars_of_numbers(values, missing="none")
    assert found.names == [f"{k / 10:g} to {(k + 1) / 10:g}" for k in range(10)]
    counts = np.bincount(found.rows)
    assert counts.tolist() == [10] * 9 + [11]  # the last bar holds 0.9 to 1.0, both included


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60))
def test_every_number_lies_in_the_bar_it_stands_in(values):
    found = bars_of_numbers(np.array(values), missing="none")
    assert len(found.names) <= MOST_BARS
    assert len(found.rows) == len(values)
    for value, row in zip(values, found.rows, strict=True):
        if " to " in found.names[row]:
            low, high = map(float, found.names[row].split(" to "))
            slack = 1e-4 + 1e-5 * abs(value)  # values are rounded to four decimals, names to six digits
            assert low - slack <= value <= high + slack


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [
        (0.0, 1.0, (0.0, 0.1, 11)),
        (0.0, 1.6094, (0.0, 0.2, 10)),
        (1.0, 25.0, (0.0, 2.5, 11)),
        (-3.0, -0.2, (-3.0, 0.25, 13)),
    ],
)
def test_edges_are_round(low, high, expected):
    first, width, number = expected
    np.testing.assert_allclose(round_edges(low, high), first + width * np.arange(number))


def test_words_come_most_first_and_the_rarest_share_a_bar():
    words = [f"w{i:02d}" for i in range(20) for _ in range(20 - i)] + [None]
    found = bars_of_words(words, missing="no label")
    assert found.names == [f"w{i:02d}" for i in range(MOST_BARS - 1)] + ["9 others", "no label"]
    counts = np.bincount(found.rows)
    assert counts[:11].tolist() == list(range(20, 9, -1))
    assert counts[11:].tolist() == [sum(range(1, 10)), 1]


def test_as_many_words_as_bars_all_have_their_own():
    found = bars_of_words([f"w{i:02d}" for i in range(MOST_BARS)], missing="none")
    assert found.names == [f"w{i:02d}" for i in range(MOST_BARS)]
    assert bars_of_words([None, None], missing="none") is None

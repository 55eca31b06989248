"""How numbers are said."""

from __future__ import annotations

import math

import pytest

from outgrow.reporting import formatting as forms


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (forms.percent(0.8731), "87.3"),
        (forms.percent(math.nan), "—"),
        (forms.share(0.714), ".71"),
        (forms.share(-0.05), "−.05"),
        (forms.share(1.0), "1.00"),
        (forms.share(-1.25), "−1.25"),
        (forms.points(0.021), "+2.1"),
        (forms.points(-0.003), "−0.3"),
        (forms.interval(0.1, 0.2), "[10.0, 20.0]"),
        (forms.interval(-0.1, 0.2, "points"), "[−10.0, +20.0]"),
        (forms.interval(math.nan, 0.2), ""),
        (forms.p_value(0.0004), "<.001"),
        (forms.p_value(0.0321), ".032"),
        (forms.count(12000), "12,000"),
        (forms.count(math.nan), "—"),
        (forms.counts([3, 3]), "3"),
        (forms.counts([1490, 1494]), "1,490 – 1,494"),
        (forms.counts([]), "—"),
        (forms.listed([94, 188, 94]), "94, 188, 94"),
        (forms.duration(0.85), "850 ms"),
        (forms.duration(12.34), "12.3 s"),
        (forms.duration(245.0), "4 min 5 s"),
        (forms.duration(7620.0), "2 h 7 min"),
        (forms.plural(1, "seed"), "1 seed"),
        (forms.plural(1200, "seed"), "1,200 seeds"),
        (forms.join_words(["a", "b", "c"]), "a, b and c"),
        (forms.shorten("abcdefghij", 7), "abcd…ij"),
    ],
)
def test_numbers_read_as_a_paper_prints_them(said, expected):
    assert said == expected


def test_the_mean_leaves_out_what_is_not_there_and_is_nan_without_anything():
    assert forms.mean([1.0, math.nan, 2.0]) == 1.5
    assert math.isnan(forms.mean([math.nan]))

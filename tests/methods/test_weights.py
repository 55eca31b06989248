"""Weights spent where the trainer would not use them: systematic resampling and a threshold."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from outgrow.core.errors import ConfigError, DataError
from outgrow.methods.weights import class_mix, settle_weights, systematic_counts


def rows_of(weights):
    return pa.table(
        {"row_id": [f"r{i}" for i in range(len(weights))], "target": ["x"] * len(weights), "weight": list(weights)}
    )


def test_whole_expected_counts_are_met_exactly_whatever_the_seed():
    # four rows of weights 2, 1, 1, 0.0...: mean 1, so the weight is the expected count
    for seed in range(20):
        found = systematic_counts(np.array([2.0, 1.0, 0.5, 0.5]), ["a", "b", "c", "d"], seed=seed)
        assert found[:2].tolist() == [2, 1]
        assert sorted(found[2:].tolist()) == [0, 1]


@given(st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=40), st.integers(0, 1000))
def test_every_count_is_the_expected_one_rounded_down_or_up_and_the_total_stays(weights, seed):
    weight = np.array(weights)
    found = systematic_counts(weight, [str(i) for i in range(len(weight))], seed=seed)
    expected = weight * len(weight) / weight.sum()
    assert found.sum() == len(weight)
    assert (found >= np.floor(expected - 1e-6)).all()
    assert (found <= np.ceil(expected + 1e-6)).all()


def test_over_seeds_a_row_is_drawn_as_often_as_its_weight_says():
    weight = np.array([0.3, 0.7, 1.3, 1.7])
    mean = np.mean([systematic_counts(weight, list("abcd"), seed=seed) for seed in range(2000)], axis=0)
    # a count has a standard deviation of at most 1/2, so the mean of 2000 has one of at most .0112
    np.testing.assert_allclose(mean, weight, atol=4 * 0.0112)


def test_the_draw_depends_on_seed_and_names_and_not_on_the_order_of_the_rows():
    weight, names = np.array([0.3, 0.7, 1.3, 1.7, 0.5, 1.5]), list("abcdef")
    one = dict(zip(names, systematic_counts(weight, names, seed=3).tolist(), strict=True))
    two = dict(zip(names[::-1], systematic_counts(weight[::-1], names[::-1], seed=3).tolist(), strict=True))
    assert one == two
    draws = {tuple(systematic_counts(weight, names, seed=seed).tolist()) for seed in range(20)}
    assert len(draws) > 1


def test_resampled_rows_stand_beside_their_copies_with_ids_of_their_own_and_weight_one():
    found = settle_weights(rows_of([3.0, 1.0, 0.0, 0.0]), "resample", seed=0, min_weight=None)
    assert found.rows.column("row_id").to_pylist() == ["r0", "r0#1", "r0#2", "r1"]
    assert found.rows.column("weight").to_pylist() == [1.0] * 4
    assert found.left_out == 2


def test_a_threshold_keeps_what_is_as_heavy_and_forgets_the_weights():
    found = settle_weights(rows_of([1.5, 1.0, 0.5]), "threshold", seed=0, min_weight=1.0)
    assert found.rows.column("row_id").to_pylist() == ["r0", "r1"]
    assert found.rows.column("weight").to_pylist() == [1.0, 1.0]
    assert found.left_out == 1


def test_unused_weights_stay_as_they_are():
    rows = rows_of([1.5, 0.5])
    assert settle_weights(rows, "keep-unused", seed=0, min_weight=None).rows.equals(rows)
    assert settle_weights(rows, None, seed=0, min_weight=None).rows.equals(rows)


def test_bad_settings_are_named():
    rows = rows_of([1.5, 0.5])
    with pytest.raises(ConfigError, match=r"unknown way with weights 'resmaple'; did you mean 'resample'"):
        settle_weights(rows, "resmaple", seed=0, min_weight=None)
    with pytest.raises(ConfigError, match="needs --min-weight"):
        settle_weights(rows, "threshold", seed=0, min_weight=None)
    with pytest.raises(ConfigError, match="belongs to --weights threshold"):
        settle_weights(rows, "resample", seed=0, min_weight=1.0)
    with pytest.raises(DataError, match=r"weight of 9 or more; the largest is 1\.5"):
        settle_weights(rows, "threshold", seed=0, min_weight=9)


def test_the_class_mix_is_of_the_weight_where_it_is_used():
    values = pa.chunked_array([["a", "b", "b"]])
    weight = np.array([2.0, 0.5, 0.5])
    assert class_mix(values, weight) == {"a": 2 / 3, "b": 1 / 3}
    assert class_mix(values, weight, used=False) == {"b": 2 / 3, "a": 1 / 3}

"""The most frequent valid answer, and what decides ties (definition 2)."""

import pyarrow as pa
import pytest

from outgrow.core.hashing import sha256_text
from outgrow.reliability import agreement


def consensus(values, logprobs=None, seed=0, example_id="q"):
    columns = {"example_id": [example_id] * len(values), "value": values}
    if logprobs is not None:
        columns["logprob"] = pa.array(logprobs, pa.float64())
    return agreement(pa.table(columns), seed=seed).column("value")[0].as_py()


def test_the_most_frequent_valid_answer_wins_over_more_invalid_ones():
    assert consensus(["x", None, None, None, "x", "y"]) == "x"


def test_a_tie_goes_to_the_higher_mean_log_probability():
    # means: x -2, y -1.5; z is more probable but has one vote less
    assert consensus(["x", "y", "x", "y", "z"], [-1.0, -1.5, -3.0, -1.5, -0.1]) == "y"


@pytest.mark.parametrize("seed", range(5))
def test_a_tie_goes_to_the_smallest_hash_when_a_tied_answer_lacks_a_log_probability(seed):
    by_hash = min(["x", "y"], key=lambda value: sha256_text(seed, "q", value))
    assert consensus(["x", "y", "x", "y"], [-9.0, -0.1, None, -0.1], seed=seed) == by_hash
    assert consensus(["x", "y", "x", "y"], seed=seed) == by_hash


def test_a_log_probability_missing_outside_the_tie_does_not_matter():
    assert consensus(["x", "y", "z", "y", "x"], [-1.0, -0.5, None, -0.5, -1.0]) == "y"


def test_equal_means_fall_back_to_the_hash():
    by_hash = min(["x", "y"], key=lambda value: sha256_text(4, "q", value))
    # the same three numbers in another order: their mean must not differ in the last bit
    assert consensus(["x", "x", "x", "y", "y", "y"], [-0.1, -0.2, -0.3, -0.3, -0.1, -0.2], seed=4) == by_hash


def test_of_three_tied_answers_the_two_most_probable_go_to_the_hash():
    by_hash = min(["x", "y"], key=lambda value: sha256_text(0, "q", value))
    assert consensus(["x", "y", "z"], [-1.0, -1.0, -2.0]) == by_hash


def test_ties_are_not_alphabetical_and_change_with_the_seed():
    ids = [f"q{i}" for i in range(200)]
    table = pa.table({"example_id": [i for i in ids for _ in range(2)], "value": ["a", "b"] * 200})
    first = agreement(table, seed=0).column("value").to_pylist()
    assert 60 < first.count("a") < 140  # 100 expected, standard deviation 7
    assert first != agreement(table, seed=1).column("value").to_pylist()
    assert first == [min("ab", key=lambda v, i=i: sha256_text(0, i, v)) for i in ids]


def test_values_with_quotes_controls_and_other_scripts_are_hashed_as_the_records_do():
    values = ['say "no"', "tab\tline\n", "日本\u2028", "\x00\\"]
    assert consensus(values) == min(values, key=lambda value: sha256_text(0, "q", value))

"""Rows that cannot be learned from are named."""

import math

import pytest

from outgrow.core.errors import DataError
from outgrow.training.rows import TrainRow, check_rows


@pytest.mark.parametrize("weight", [-1.0, math.nan, math.inf])
def test_weight_that_is_negative_or_not_finite_is_an_error(weight):
    with pytest.raises(DataError, match=r"'r7' has weight"):
        check_rows([TrainRow("r7", "p", "t", weight=weight)])


def test_row_without_a_target_is_an_error():
    with pytest.raises(DataError, match="'r1' needs a target or probabilities"):
        check_rows([TrainRow("r1", "p")])
    with pytest.raises(DataError, match="'r1' has an empty target"):
        check_rows([TrainRow("r1", "p", " ")])


def test_row_with_two_kinds_of_target_is_an_error():
    with pytest.raises(DataError, match="and not both"):
        check_rows([TrainRow("r1", "p", "t", ("a", "b"), (0.5, 0.5))])


@pytest.mark.parametrize(
    ("options", "probabilities", "message"),
    [
        (None, (0.5, 0.5), "one probability for each"),
        (("a", "b"), (1.0,), "one probability for each"),
        (("a",), (1.0,), "at least two options"),
        (("a", "b"), (0.5, 0.4), "sum to 1"),
        (("a", "b"), (1.5, -0.5), "sum to 1"),
    ],
)
def test_soft_row_needs_probabilities_of_its_options(options, probabilities, message):
    with pytest.raises(DataError, match=message):
        check_rows([TrainRow("r1", "p", None, options, probabilities)])


def test_rows_of_weight_zero_are_left_out():
    rows = [TrainRow("a", "p", "t"), TrainRow("b", "p", "t", weight=0.0)]
    assert [row.row_id for row in check_rows(rows)] == ["a"]


def test_nothing_left_to_train_on_is_an_error():
    with pytest.raises(DataError, match="1 rows given, none with a weight above 0"):
        check_rows([TrainRow("b", "p", "t", weight=0.0)])


@pytest.mark.parametrize("options", [("a", "b"), ("t",)])
def test_hard_target_is_one_of_several_options(options):
    with pytest.raises(DataError, match="'r1' has the target 't', which is none of several options"):
        check_rows([TrainRow("r1", "p", "t", options)])
    assert len(check_rows([TrainRow("r1", "p", "t", ("a", "t"))])) == 1


@pytest.mark.parametrize("fields", [{}, {"y": 1.0}, {"x": (1.0,)}])
def test_rows_of_other_fields_than_the_first_are_an_error(fields):
    with pytest.raises(DataError, match=r"'r2' has the fields .*; the first row has {'x': 1.0}"):
        check_rows([TrainRow("r1", "p", "t", fields={"x": 1.0}), TrainRow("r2", "p", "t", fields=fields)])

"""Votes out of a table of answers."""

import numpy as np
import pyarrow as pa
import pytest

from outgrow.core.errors import DataError
from outgrow.reliability.annotators import crowd_votes


def answers(rows, **more):
    ids, who, values = zip(*rows, strict=True)
    return pa.table({"example_id": list(ids), "source": list(who), "value": pa.array(values, pa.string()), **more})


def rows_of(votes):
    names = [votes.tasks.to_pylist(), votes.annotators.to_pylist(), votes.classes.to_pylist()]
    codes = zip(votes.task, votes.annotator, votes.label, strict=True)
    return [tuple(name[i] for name, i in zip(names, row, strict=True)) for row in codes]


def test_rows_stand_by_task_annotator_and_label_whatever_their_order_in_the_file():
    votes = crowd_votes(answers([("q2", "bob", "y"), ("q1", "bob", "x"), ("q2", "ann", "x"), ("q1", "ann", "x")]))
    assert rows_of(votes) == [("q2", "ann", "x"), ("q2", "bob", "y"), ("q1", "ann", "x"), ("q1", "bob", "x")]
    assert votes.weight.tolist() == [1, 1, 1, 1]
    assert votes.answered.tolist() == [2, 2]


def test_an_annotator_asked_five_times_weighs_one():
    votes = crowd_votes(answers([("q", "ann", v) for v in "xxxyy"] + [("q", "bob", "x")]))
    assert rows_of(votes) == [("q", "ann", "x"), ("q", "ann", "y"), ("q", "bob", "x")]
    np.testing.assert_allclose(votes.weight, [0.6, 0.4, 1])
    np.testing.assert_allclose(votes.shares.toarray(), [[0.8, 0.2]])
    assert votes.single.tolist() == [False, False, True]


def test_weights_count_within_one_annotators_answers():
    votes = crowd_votes(answers([("q", "ann", "x"), ("q", "ann", "y"), ("q", "bob", "x")], weight=[3.0, 1.0, 7.0]))
    np.testing.assert_allclose(votes.weight, [0.75, 0.25, 1])


def test_probabilities_vote_where_there_are_some_and_values_elsewhere():
    kind = pa.map_(pa.string(), pa.float64())
    given = pa.array([[("x", 0.7), ("y", 0.3)], None], kind)
    table = answers([("q", "ann", "x"), ("q", "bob", "y")], probabilities=given)
    assert crowd_votes(table).weight.tolist() == [1, 1]
    votes = crowd_votes(table, probabilities=True)
    assert rows_of(votes) == [("q", "ann", "x"), ("q", "ann", "y"), ("q", "bob", "y")]
    np.testing.assert_allclose(votes.weight, [0.7, 0.3, 1])


def test_invalid_answers_and_labels_outside_the_classes_are_counted_and_do_not_vote():
    table = answers([("q", "ann", "x"), ("q", "bob", None), ("r", "ann", "z"), ("r", "bob", "y")])
    votes = crowd_votes(table, classes=["x", "y", "w"])
    assert rows_of(votes) == [("q", "ann", "x"), ("r", "bob", "y")]
    assert votes.classes.to_pylist() == ["w", "x", "y"]
    assert votes.invalid.tolist() == [1, 1]


def test_making_shares_leaves_the_votes_as_they_are():
    votes = crowd_votes(answers([("q", who, "yxyy"[i]) for i, who in enumerate("abcd")]))
    before = votes.weight.copy(), votes.label.copy()
    assert votes.shares.toarray().tolist() == [[0.25, 0.75]]
    assert (votes.weight == before[0]).all()
    assert (votes.label == before[1]).all()


def test_a_table_without_a_valid_answer_is_refused():
    with pytest.raises(DataError, match="none of the 1 answers has a valid label"):
        crowd_votes(answers([("q", "ann", None)]))


def test_a_table_without_sources_is_refused():
    with pytest.raises(DataError, match="no column 'source'"):
        crowd_votes(pa.table({"example_id": ["q"], "value": ["x"]}))


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_a_weight_that_is_none_is_refused(weight):
    with pytest.raises(DataError, match="weight"):
        crowd_votes(answers([("q", "ann", "x")], weight=[weight]))

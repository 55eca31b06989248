"""Option probabilities averaged over a question's answers."""

import pyarrow as pa
import pytest

from outgrow.core.tables import ANSWERS, LABELS, build
from outgrow.reliability import agreement, mean_probabilities


def answers_of(rows):
    ids, values, maps = zip(*rows, strict=True)
    return build(
        ANSWERS,
        {
            "example_id": ids,
            "source": ["s"] * len(ids),
            "variant": range(len(ids)),
            "sample": [0] * len(ids),
            "value": values,
            "probabilities": [None if m is None else list(m.items()) for m in maps],
        },
    )


def soft(rows):
    answers = answers_of(rows)
    found = mean_probabilities(answers, agreement(answers))
    assert found.schema.equals(LABELS)
    return {row["example_id"]: dict(row["probabilities"]) for row in found.to_pylist()}


def test_option_probabilities_are_averaged_over_the_answers_that_have_them():
    found = soft([("q", "x", {"x": 0.8, "y": 0.2}), ("q", "y", {"y": 0.6, "z": 0.4}), ("q", "x", None)])
    assert found["q"] == {"x": pytest.approx(0.4), "y": pytest.approx(0.4), "z": pytest.approx(0.2)}


def test_a_question_without_option_probabilities_keeps_its_vote_shares():
    found = soft([("q", "x", {"x": 0.9, "y": 0.1}), ("r", "x", None), ("r", None, None), ("r", "y", None)])
    assert found["r"] == {"x": pytest.approx(1 / 3), "y": pytest.approx(1 / 3)}
    assert found["q"] == {"x": pytest.approx(0.9), "y": pytest.approx(0.1)}


def test_without_any_option_probabilities_labels_stay_as_they_are():
    answers = answers_of([("q", "x", None), ("q", "y", None)])
    labels = agreement(answers)
    assert mean_probabilities(answers, labels).equals(labels)


def test_labels_are_matched_by_id_not_by_position():
    rows = [("q", "x", {"x": 1.0}), ("r", "y", {"y": 0.7, "x": 0.3}), ("p", "z", {"z": 0.5, "x": 0.5})]
    answers = answers_of(rows)
    labels = agreement(answers).take(pa.array([2, 0]))
    found = mean_probabilities(answers, labels).to_pylist()
    assert [(row["example_id"], dict(row["probabilities"])) for row in found] == [
        ("p", {"z": 0.5, "x": 0.5}),
        ("q", {"x": 1.0}),
    ]


def test_labels_of_several_sources_take_their_own_sources_probabilities():
    answers = answers_of([("q", "x", {"x": 0.8, "y": 0.2}), ("q", "y", {"x": 0.1, "y": 0.9})])
    answers = answers.set_column(1, "source", pa.array(["a", "b"]))
    labels = agreement(answers, one_label_per_source=True)
    found = mean_probabilities(answers, labels).to_pylist()
    assert {row["source"]: dict(row["probabilities"]) for row in found} == {
        "a": {"x": 0.8, "y": 0.2},
        "b": {"x": 0.1, "y": 0.9},
    }

"""Scores of several arms on one order of questions, and agreement with the supervisor."""

import numpy as np
import pytest

from outgrow.core.errors import DataError
from outgrow.evaluation import PairedScores, agreement_with_supervisor, correctness


def test_correctness_joins_by_id_and_counts_unparsed_as_wrong():
    said = {"c": "x", "a": "y", "b": None}
    gold = {"a": "y", "b": "z", "c": "z", "d": "x"}
    assert correctness(["a", "b", "c"], said, gold).tolist() == [1.0, 0.0, 0.0]


def test_a_question_without_answer_or_gold_is_named():
    with pytest.raises(DataError, match="1 questions have no answer; the first is 'b'"):
        correctness(["a", "b"], {"a": "x"}, {"a": "x", "b": "x"})
    with pytest.raises(DataError, match="no gold label; the first is 'a'"):
        correctness(["a"], {"a": "x"}, {})


def paired():
    n = 200
    arms = {
        name: np.stack([(np.arange(n) < s * n).astype(float)] * 2)
        for name, s in {"floor": 0.5, "naive": 0.6, "ceiling": 0.9}.items()
    }
    return PairedScores(tuple(f"q{i}" for i in range(n)), np.arange(n), arms, draws=1000)


def test_paired_scores_answer_all_three_questions_with_shared_draws():
    scores = paired()
    assert scores.accuracy("naive").value == pytest.approx(0.6)
    assert scores.gap_recovered("naive", floor="floor", ceiling="ceiling").value == pytest.approx(0.25)
    assert scores.difference("naive", "floor").value == pytest.approx(0.1)
    assert scores.bootstrap is scores.bootstrap


def test_arms_that_are_not_aligned_are_refused_at_once():
    with pytest.raises(DataError, match="do not fit"):
        PairedScores(("a", "b"), np.arange(2), {"x": np.ones((1, 2)), "y": np.ones((1, 3))})
    with pytest.raises(DataError, match="no arms"):
        PairedScores(("a",), np.arange(1), {})


def test_agreement_is_split_by_whether_the_supervisor_was_right():
    student = ["x", "y", None, "z", "w"]
    supervisor = ["x", "x", None, "z", "v"]
    found = agreement_with_supervisor(student, supervisor, np.array([True, True, False, False, False]))
    assert found.overall == pytest.approx(2 / 5)  # unparsed agrees with nothing
    assert found.when_right == pytest.approx(1 / 2)
    assert found.when_wrong == pytest.approx(1 / 3)


def test_agreement_on_no_question_is_nan_not_zero():
    found = agreement_with_supervisor(["x"], ["x"], np.array([True]))
    assert found.when_right == 1.0
    assert np.isnan(found.when_wrong)
    with pytest.raises(DataError, match="one entry per question"):
        agreement_with_supervisor(["x"], ["x", "y"], np.array([True]))

"""Scores of several arms on one order of questions, and agreement with the supervisor."""

import numpy as np
import pytest

from outgrow.core.errors import DataError
from outgrow.evaluation import METRICS, PairedScores, agreement_with_supervisor

IDS = [f"q{i}" for i in range(200)]
ACCURACY = METRICS["accuracy"]


def paired():
    """Two seeds alike; the first share of the questions are right, the others unanswered."""
    arms = {
        name: [{q: "x" for q in IDS[: int(share * 200)]}] * 2
        for name, share in {"floor": 0.5, "naive": 0.6, "ceiling": 0.9}.items()
    }
    return PairedScores.of(ACCURACY, np.arange(200), IDS, arms, dict.fromkeys(IDS, "x"))


def test_paired_scores_answer_all_three_questions():
    scores = paired()
    assert scores.interval("naive").value == pytest.approx(0.6)
    assert scores.gap_recovered("naive", floor="floor", ceiling="ceiling").value == pytest.approx(0.25)
    assert scores.difference("naive", "floor").value == pytest.approx(0.1)


def test_answers_are_joined_by_id_and_what_is_not_there_or_unparsed_is_wrong():
    answers = {"c": "x", "a": "y", "b": None}
    gold = {"a": "y", "b": "z", "c": "z", "d": "x"}
    scores = PairedScores.of(ACCURACY, np.arange(4), ["d", "a", "b", "c"], {"x": [answers]}, gold)
    assert scores.arms["x"][0, :, 0].tolist() == [0.0, 1.0, 0.0, 0.0]


def test_a_question_without_gold_is_named():
    with pytest.raises(DataError, match="1 questions have no gold label; the first is 'b'"):
        PairedScores.of(ACCURACY, np.arange(2), ["a", "b"], {"x": [{}]}, {"a": "x"})


def test_arms_that_are_not_aligned_are_refused_at_once():
    groups = np.arange(2)
    with pytest.raises(DataError, match="do not fit 1 seeds and 2 questions"):
        PairedScores(ACCURACY, groups, {"x": np.ones((1, 2, 2)), "y": np.ones((1, 3, 2))})
    with pytest.raises(DataError, match="do not fit 1 seeds"):
        PairedScores.of(ACCURACY, groups, ["a", "b"], {"x": [{}], "y": [{}, {}]}, {"a": "x", "b": "x"})
    with pytest.raises(DataError, match="no arms"):
        PairedScores(ACCURACY, groups, {})


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

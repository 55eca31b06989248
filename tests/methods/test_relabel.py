"""Given labels that may be wrong, against what the answers agree on."""

from __future__ import annotations

import pyarrow as pa
import pytest

from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.core.tables import ANSWERS, build
from outgrow.experiment.curate import curate
from outgrow.methods.base import Answered
from outgrow.methods.relabel import Relabel, relabel

# K = 4, T = .2: 4 votes R = 1; 3 to 1 R = 1 / (1 + exp(-2 / .8)) = .924; 2 to 2 R = .5; none valid: no consensus
VOTES = {"q1": "aaaa", "q2": "bbba", "q3": "aabb", "q4": None, "q5": "bbbb"}
GIVEN = {"q5": "b", "q2": "a", "q1": "b", "q3": "b", "q4": "a", "q9": "a"}


def answers():
    rows = [(q, i, None if v is None else v[i]) for q, v in VOTES.items() for i in range(4)]
    ids, samples, values = zip(*rows, strict=True)
    return build(
        ANSWERS,
        {
            "example_id": ids,
            "source": ["s"] * len(ids),
            "variant": [0] * len(ids),
            "sample": samples,
            "prompt": [f"{q}?" for q in ids],
            "text": [None if v is None else f"it is {v}" for v in values],
            "value": values,
        },
    )


def given(labels=GIVEN):
    return pa.table({"example_id": list(labels), "label": pa.array(list(labels.values()), pa.string())})


def new(chosen):
    return dict(zip(*(chosen.labels[name].to_pylist() for name in ("example_id", "value")), strict=True))


def run(least, labels=GIVEN):
    return relabel(Answered(answers(), given=given(labels)), Relabel(min_reliability=least))


def test_a_label_is_replaced_where_the_consensus_differs_and_is_reliable_enough():
    # q1: b -> a (R 1); q2: a -> b (R .924); q3 tie R .5; q4 no consensus; q5 agrees; q9 not answered
    chosen = run(0.9)
    assert new(chosen) == {"q5": "b", "q2": "b", "q1": "a", "q3": "b", "q4": "a", "q9": "a"}
    assert chosen.labels["given"].to_pylist() == list(GIVEN.values())
    assert chosen.notes == (
        "2 of 6 given labels were replaced by the consensus (33.3%)",
        "1 given labels have no answers and were kept",
    )


def test_a_higher_bar_changes_less_and_an_unreachable_one_nothing():
    assert new(run(0.95)) == {**GIVEN, "q1": "a"}
    assert new(run(1.1)) == GIVEN


def test_the_bar_itself_is_reliable_enough():
    assert new(run(1.0)) == {**GIVEN, "q1": "a"}  # R is exactly 1


def test_answered_questions_without_a_given_label_are_left_out_and_counted():
    chosen = run(0.9, {"q1": "b", "q2": None})
    assert new(chosen) == {"q1": "a"}
    assert chosen.notes[1:] == ("4 answered questions have no given label and were left out",)


def test_labels_and_answers_that_never_coincide_are_refused():
    with pytest.raises(DataError, match=r"no given label is ever among the answers: labels are like 'A'.*write both"):
        run(0.9, {"q1": "A", "q2": "B"})
    with pytest.raises(DataError, match=r"none of the 1 questions with a given label was answered.*'x1'.*'q1'"):
        run(0.9, {"x1": "a"})


def test_questions_asked_once_have_no_reliability_to_go_by():
    once = Answered(answers().slice(0, 1), given=given({"q1": "a"}))
    with pytest.raises(PrerequisiteError, match="several answers per question"):
        relabel(once, Relabel())


def test_curated_rows_keep_the_order_of_the_given_labels_and_both_labels():
    found = curate(answers(), method="relabel", given=given(), target="value")
    rows = found.rows.to_pylist()
    assert [(row["example_id"], row["given"], row["target"]) for row in rows] == [
        ("q5", "b", "b"),
        ("q2", "a", "b"),
        ("q1", "b", "a"),
        ("q3", "b", "b"),
        ("q4", "a", "a"),
        ("q9", "a", "a"),
    ]
    assert rows[1]["prompt"] == "q2?"
    assert rows[5]["prompt"] is None
    # before: 2 b of ... q5 b, q1 b, q3 b = 3 b, 3 a; after: q5 b, q2 b, q3 b = 3 b, 3 a
    assert found.summary.mix_before == {"a": 0.5, "b": 0.5}
    assert found.summary.mix_after == {"a": 0.5, "b": 0.5}
    assert (found.summary.questions, found.summary.labelled, found.summary.kept) == (6, 6, 6)


def test_the_text_that_gave_the_new_label_becomes_the_target_and_a_label_nobody_said_stays_a_word():
    found = curate(answers(), method="relabel", given=given({"q1": "b", "q2": "a", "q5": "a"}))
    # q5: everybody said b with R 1, so b replaces a; q2: R .924 at the default .9
    assert found.rows.column("target").to_pylist() == ["it is a", "it is b", "it is b"]
    kept = curate(answers(), method="relabel", given=given({"q1": "b", "q2": "b"}), min_reliability=2)
    assert kept.rows.column("target").to_pylist() == ["b", "it is b"]  # nobody said b to q1


def test_the_mix_before_is_that_of_the_given_labels():
    found = curate(answers(), method="relabel", given=given({"q1": "b", "q5": "b"}))
    assert found.summary.mix_before == {"b": 1.0}
    assert found.summary.mix_after == {"a": 0.5, "b": 0.5}


def test_settings_of_relabel_alone_are_refused_elsewhere_and_its_labels_are_required():
    with pytest.raises(PrerequisiteError, match="relabel needs the labels that may be wrong: --given"):
        curate(answers(), method="relabel")
    with pytest.raises(ConfigError, match="given has no meaning for majority_vote; it belongs to relabel"):
        curate(answers(), method="majority_vote", given=given())
    with pytest.raises(ConfigError, match="majority_vote has no setting 'min_reliability'; it has none"):
        curate(answers(), method="majority_vote", min_reliability=0.5)
    with pytest.raises(ConfigError, match="min_reliability: must be a finite number"):
        curate(answers(), method="relabel", given=given(), min_reliability=float("nan"))

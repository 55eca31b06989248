"""Votes, entropy and reliability of a question's answers (definition 1)."""

import math

import numpy as np
import pyarrow as pa
import pytest

from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.core.tables import ANSWERS, LABELS, build
from outgrow.reliability import agreement, row_reliability


def answers_of(questions, **columns):
    """Answers of one source: {"a": ["x", "x", None]} asks question a three times."""
    rows = [(q, i, value) for q, values in questions.items() for i, value in enumerate(values)]
    ids, samples, values = zip(*rows, strict=True)
    given = {"example_id": ids, "source": ["s"] * len(ids), "variant": [0] * len(ids), "sample": samples}
    return build(ANSWERS, {**given, "value": values, **columns})


def label(values, **options):
    return agreement(answers_of({"q": values}), **options).to_pylist()[0]


def test_invalid_answers_are_singletons_that_agree_with_nobody():
    # 3 equal + 2 invalid is the pattern 3,1,1: H = -(.6 ln .6) + .4 ln 5; R = e^3 / (e^3 + 2 e) with K T = 1
    found = label(["x", "x", "x", None, None])
    assert found["value"] == "x"
    assert found["entropy"] == pytest.approx(-0.6 * math.log(0.6) + 0.4 * math.log(5), abs=1e-12)
    assert found["reliability"] == pytest.approx(math.e**3 / (math.e**3 + 2 * math.e), abs=1e-12)
    assert (found["n_valid"], found["n_invalid"]) == (3, 2)
    assert found["votes"] == [("x", 3)]
    assert found["probabilities"] == [("x", 0.6)]


def test_five_invalid_answers_are_the_least_reliable_not_the_most():
    found = label([None] * 5)
    assert found["value"] is None
    assert found["entropy"] == pytest.approx(math.log(5), abs=1e-12)
    assert (found["reliability"], found["vote_share"], found["n_valid"]) == (0.0, 0.0, 0)
    assert found["votes"] == []


def test_unanimous_answers_have_entropy_exactly_zero_and_reliability_one():
    for k in range(2, 30):
        found = label(["x"] * k)
        assert found["entropy"] == 0.0
        assert not math.copysign(1, found["entropy"]) < 0
        assert found["reliability"] == 1.0


@pytest.mark.parametrize("k", [3, 5, 7, 8, 10])
def test_equal_patterns_get_equal_bits_whatever_their_order_and_invalid_count(k):
    whole = label(["x", "x"] + [f"other{i}" for i in range(k - 2)])
    holed = label([None] * (k - 2) + ["x", "x"])
    assert whole["entropy"] == holed["entropy"]
    assert whole["reliability"] == holed["reliability"]


def test_votes_list_the_consensus_first_then_by_count_then_by_name():
    found = label(["d", "b", "b", "c", "c", "c", "a"])
    assert found["votes"] == [("c", 3), ("b", 2), ("a", 1), ("d", 1)]


def test_a_question_asked_once_has_no_agreement():
    found = label(["x"])
    assert found["value"] == "x"
    for name in ("entropy", "reliability", "softmax_reliability", "vote_share"):
        assert math.isnan(found[name])


def test_questions_may_be_asked_different_numbers_of_times():
    table = agreement(answers_of({"a": ["x"] * 4, "b": ["x", "y"], "c": ["z"]}))
    assert table.column("example_id").to_pylist() == ["a", "b", "c"]
    assert table.column("n_valid").to_pylist() == [4, 2, 1]
    np.testing.assert_allclose(table.column("entropy").to_numpy(), [0.0, math.log(2), math.nan], atol=1e-12)


def test_temperature_decides_how_sharply_votes_count():
    # 3 against 2 of K = 5: R = 1 / (1 + exp(-1 / (5 T)))
    for temperature in (0.05, 0.2, 1.0, 10.0):
        found = label(["x", "x", "x", "y", "y"], temperature=temperature)
        assert found["reliability"] == pytest.approx(1 / (1 + math.exp(-1 / (5 * temperature))), abs=1e-12)
    assert label(["x", "x", "x", "y", "y"], temperature=1e-6)["reliability"] == 1.0


@pytest.mark.parametrize("temperature", [0.0, -1.0, math.nan, math.inf])
def test_a_temperature_that_is_not_positive_is_refused(temperature):
    with pytest.raises(ConfigError, match="positive"):
        label(["x", "x"], temperature=temperature)


def test_mean_logprob_and_margin_use_the_answers_as_defined():
    options = [{"x": 0.7, "y": 0.2}, {"x": 0.4, "y": 0.5}, None]
    table = answers_of(
        {"q": ["x", "y", "x"]},
        logprob=[-1.0, -5.0, -2.0],
        probabilities=[None if o is None else list(o.items()) for o in options],
    )
    found = agreement(table).to_pylist()[0]
    assert found["value"] == "x"
    assert found["mean_logprob"] == -1.5  # of the two answers that said x
    assert found["margin"] == pytest.approx(((0.7 - 0.2) + (0.4 - 0.5)) / 2, abs=1e-12)  # of the two that have options
    by_probability = agreement(table, estimator="probability").column("reliability")[0].as_py()
    assert by_probability == pytest.approx((0.7 + 0.4) / 2, abs=1e-12)


@pytest.mark.parametrize(
    ("estimator", "column"),
    [
        ("softmax", "softmax_reliability"),
        ("vote_share", "vote_share"),
        ("mean_logprob", "mean_logprob"),
        ("margin", "margin"),
    ],
)
def test_reliability_is_the_column_of_the_chosen_estimator(estimator, column):
    table = answers_of(
        {"q": ["x", "y", "x"], "r": ["y", "y", None]},
        logprob=[-1.0, -5.0, -2.0, -1.0, -1.0, -9.0],
        probabilities=[[("x", 0.6), ("y", 0.4)]] * 6,
    )
    found = agreement(table, estimator=estimator, temperature=0.5, seed=3)
    assert found.column("reliability").equals(found.column(column))
    settings = {b"estimator": estimator.encode(), b"temperature": b"0.5", b"seed": b"3"}
    assert found.schema.metadata == {**settings, b"wordings": b"1"}


def test_confidence_of_one_answer_is_defined_where_agreement_is_not():
    table = answers_of({"q": ["x"]}, logprob=[-0.5], probabilities=[[("x", 0.6), ("y", 0.3)]])
    assert agreement(table, estimator="probability").column("reliability").to_pylist() == [0.6]
    assert agreement(table, estimator="mean_logprob").column("reliability").to_pylist() == [-0.5]
    assert agreement(table, estimator="margin").column("reliability")[0].as_py() == pytest.approx(0.3)


def test_measures_without_their_data_are_null_not_zero():
    found = label(["x", "x"])
    assert found["mean_logprob"] is None
    assert found["margin"] is None


def test_an_option_that_is_not_listed_has_probability_zero():
    table = answers_of({"q": ["x"]}, probabilities=[[("y", 0.25)]])
    assert agreement(table).column("margin").to_pylist() == [-0.25]


def test_several_sources_are_refused_unless_one_label_per_source_is_asked_for():
    table = build(
        ANSWERS,
        {
            "example_id": ["q", "q", "q", "r", "r", "r"],
            "source": ["b", "a", "a", "a", "b", "b"],
            "variant": [0, 0, 1, 0, 0, 1],
            "sample": [0] * 6,
            "value": ["x", "y", "y", "x", "z", None],
        },
    )
    with pytest.raises(PrerequisiteError, match=r"several sources \('b', 'a'\)"):
        agreement(table)
    found = agreement(table, one_label_per_source=True).select(["example_id", "source", "value", "n_valid"])
    assert [tuple(row.values()) for row in found.to_pylist()] == [
        ("q", "b", "x", 1),
        ("q", "a", "y", 2),
        ("r", "a", "x", 1),
        ("r", "b", "z", 1),
    ]


def test_labels_have_the_schema_of_the_record():
    found = agreement(answers_of({"q": ["x", "y"]}))
    assert found.schema.remove_metadata() == LABELS
    found.validate(full=True)


def test_two_columns_are_enough():
    found = agreement(pa.table({"example_id": ["q", "q"], "value": ["x", "x"]}))
    assert found.column("value").to_pylist() == ["x"]
    assert found.column("source").to_pylist() == [None]


def test_an_empty_table_a_missing_column_and_an_unknown_estimator_are_named():
    with pytest.raises(DataError, match="empty"):
        agreement(ANSWERS.empty_table())
    with pytest.raises(DataError, match="missing column 'value'"):
        agreement(pa.table({"example_id": ["q"]}))
    with pytest.raises(DataError, match="'example_id' is null"):
        agreement(pa.table({"example_id": ["q", None], "value": ["x", "x"]}))
    with pytest.raises(ConfigError, match=r"unknown estimator 'sharpness'.*vote_share"):
        agreement(answers_of({"q": ["x"]}), estimator="sharpness")


def test_row_reliability_gives_each_answer_the_r_of_what_it_said():
    # K T = 1: x twice, y once, one invalid: R(x) = e^2/(e^2 + 2e), R(y) = e/(e^2 + 2e)
    table = answers_of({"q": ["x", None, "y", "x"], "r": ["y", "y"]})
    total = math.exp(2 / 0.8) + 2 * math.exp(1 / 0.8)
    expected = [math.exp(2 / 0.8) / total, math.nan, math.exp(1 / 0.8) / total, math.exp(2 / 0.8) / total, 1, 1]
    np.testing.assert_allclose(row_reliability(table), expected, atol=1e-12)


def test_slices_and_chunks_of_a_table_count_as_the_rows_they_show():
    whole = answers_of(
        {"p": ["n", "n"], "q": ["x", "y", "x"], "r": ["y", "y", None]},
        probabilities=[[("n", 0.5), ("m", 0.5)]] * 2 + [[("x", 0.6), ("y", 0.4)], None, [("x", 0.2)]] + [None] * 3,
    )
    part = whole.slice(2)
    chunks = pa.concat_tables([whole.slice(2, 2), whole.slice(4, 1), whole.slice(5)])
    rebuilt = pa.Table.from_pylist(part.to_pylist(), schema=ANSWERS)
    assert agreement(part).to_pylist() == agreement(rebuilt).to_pylist()
    assert agreement(chunks).to_pylist() == agreement(rebuilt).to_pylist()
    margin = agreement(part).column("margin").to_pylist()
    assert margin[0] == pytest.approx((0.2 + 0.2) / 2, abs=1e-12)
    assert margin[1] is None

"""Predictions against gold without an experiment: what is joined, what counts as invalid, what is refused."""

import json
import math

import pyarrow as pa
import pytest
from scipy import stats

import outgrow as og
from outgrow.core.errors import ConfigError, DataError
from outgrow.io import write_table

GOLD = pa.table({"example_id": ["a", "b", "c", "d"], "value": ["x", "x", "y", "y"]})


def put(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def slot(kind, filler):
    return {"type": kind, "filler": filler}


def test_a_question_without_a_prediction_counts_as_an_invalid_answer():
    predictions = pa.table({"id": ["e", "b", "a", "c"], "prediction": ["x", "x", "y", " "]})
    scored = og.score(predictions, GOLD)
    # b of four is right; c is blank, d is missing, e has no gold
    accuracy = scored.metrics["accuracy"]
    assert accuracy.value == 1 / 4
    assert (scored.questions, scored.missing, scored.invalid, scored.without_gold) == (4, 1, 1, 1)
    # variance of the four scores over four, Student's t with three degrees of freedom
    half = stats.t.ppf(0.975, 3) * math.sqrt((3 / 16 * 4 / 3) / 4)
    assert (accuracy.low, accuracy.high) == pytest.approx((1 / 4 - half, 1 / 4 + half))


@pytest.mark.parametrize("side", ["gold", "predictions"])
def test_questions_of_a_group_are_one(side):
    predictions = pa.table({"example_id": ["a", "b", "c", "d"], "value": ["x", "x", "x", "x"]})
    groups = pa.array(["one", "one", "two", "two"])
    given = {"gold": GOLD, "predictions": predictions}
    given[side] = given[side].append_column("group_id", groups)
    scored = og.score(given["predictions"], given["gold"])
    assert scored.groups == 2
    # sums away from .5 per group: +1 and -1; variance 2 / 16 x 2 groups / 1
    assert scored.metrics["accuracy"].se == pytest.approx(math.sqrt(2 / 16 * 2))


def test_several_metrics_and_plain_numbers():
    predictions = GOLD.set_column(1, "value", pa.array(["x", "y", "y", "y"]))
    numbers = og.score(predictions, GOLD, metrics=["accuracy", "macro_f1", "accuracy"]).numbers()
    # F1 of x 2 x 1 / (2 + 1), of y 2 x 2 / (2 + 3)
    assert numbers["metrics"]["macro_f1"]["value"] == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert list(numbers["metrics"]) == ["accuracy", "macro_f1"]
    assert json.loads(json.dumps(numbers)) == {**numbers, "types": []}


def test_slots_of_texts_against_lists_by_hand(tmp_path):
    rows = [[slot("time", "Nine AM"), slot("time", "ten pm")], [], [slot("date", "friday")]]
    gold = put(tmp_path / "gold.jsonl", [{"slurp_id": i, "slots": listed} for i, listed in enumerate(rows)])
    texts = ['Sure: {"time": "ten pm & nine am"}', "none", '[{"type": "date", "filler": "next friday"}]']
    said = put(tmp_path / "said.jsonl", [{"slurp_id": i, "text": text} for i, text in enumerate(texts)])
    columns = {"example_id": "slurp_id", "value": "text"}
    scored = og.score(said, gold, metrics=["slu_f1", "slot_f1", "slot_exact_match"], columns=columns)
    # both passes: 3 matches each; of "next friday" 1 by words and 5 / 11 by characters
    wrong = 1 + 5 / 11
    assert scored.metrics["slu_f1"].value == pytest.approx(12 / (12 + 2 * wrong))
    assert scored.metrics["slot_f1"].value == pytest.approx(2 * 2 / (3 + 3))
    # the first alone: what is no JSON is no empty list
    assert scored.metrics["slot_exact_match"].value == pytest.approx(1 / 3)
    assert scored.first_unreadable == f"{said}, line 2, column 'text': 'none'"
    assert [(each.type, each.f1) for each in scored.types] == [("time", 1.0), ("date", 0.0)]
    assert (scored.unreadable, scored.missing) == (1, 0)


@pytest.mark.parametrize("suffix", ["csv", "parquet", "jsonl"])
def test_every_format_holds_lists_of_slots(tmp_path, suffix):
    rows = [[slot("time", "nine")], [slot("time", "nine"), slot("time", "nine")], []]
    values = rows if suffix == "parquet" else list(map(json.dumps, rows))
    table = pa.table({"id": ["p", "q", "r"], "slots": values})
    path = tmp_path / f"gold.{suffix}"
    write_table(table, path)
    said = pa.table({"id": ["p", "q", "r"], "entities": ['{"time": "nine"}', '{"time": "nine"}', "{}"]})
    scored = og.score(said, path, metrics=["slot_f1"])
    # 2 hits of 3 in gold and 2 predicted: what stands twice has to be said twice
    assert scored.metrics["slot_f1"].value == pytest.approx(2 * 2 / (3 + 2))


def test_where_nothing_is_there_a_metric_is_undefined():
    empty = pa.table({"example_id": ["a", "b"], "value": ["[]", "{}"]})
    scored = og.score(empty, empty, metrics=["slu_f1", "slot_exact_match"])
    assert scored.numbers()["metrics"]["slu_f1"] == {"value": None, "se": None, "low": None, "high": None}
    assert (scored.metrics["slot_exact_match"].value, scored.types) == (1.0, [])


def test_of_several_wordings_the_identity_is_scored(tmp_path):
    rows = [{"example_id": i, "variant": v, "value": "x" if v else "y"} for i in "abcd" for v in (1, 0)]
    assert og.score(put(tmp_path / "answers.jsonl", rows), GOLD).metrics["accuracy"].value == 1 / 2
    with pytest.raises(DataError, match="no row has variant 0 and sample 0"):
        og.score(put(tmp_path / "answers.jsonl", rows[::2]), GOLD)


@pytest.mark.parametrize(
    ("said", "gold", "metric", "message"),
    [
        ([("a", "x"), ("a", "y")], [("a", "x")], "accuracy", r"said.jsonl, line 1 and line 2: the question 'a' twice"),
        ([("a", "x")], [("a", "x"), ("b", None)], "accuracy", r"gold.jsonl, line 2, column 'value': None; gold"),
        ([("a", "x")], [("b", "x")], "accuracy", r"no prediction belongs to a question with gold; .* 'a', .* 'b'"),
        ([("a", "[]")], [("a", "x")], "slu_f1", r"gold.jsonl, line 1, column 'value': 'x'; gold must hold"),
    ],
)  # fmt: skip
def test_wrong_input_is_named_with_file_line_column_and_value(tmp_path, said, gold, metric, message):
    files = [
        put(tmp_path / f"{name}.jsonl", [{"example_id": i, "value": value} for i, value in rows])
        for name, rows in (("said", said), ("gold", gold))
    ]
    with pytest.raises(DataError, match=message):
        og.score(*files, metrics=[metric])


def test_columns_and_metrics_that_are_not_there_are_refused():
    with pytest.raises(DataError, match=r"neither predictions nor gold have the columns \['team'\]"):
        og.score(GOLD, GOLD, columns={"value": "team"})
    with pytest.raises(ConfigError, match="unknown metric 'slu'; did you mean 'slu_f1'"):
        og.score(GOLD, GOLD, metrics=["slu"])

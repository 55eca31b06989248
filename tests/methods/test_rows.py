"""Training rows made of labels or answers, and the weights of rows (definition 5)."""

import math

import numpy as np
import pyarrow as pa
import pytest

from outgrow.core.errors import ConfigError, DataError
from outgrow.core.tables import ANSWERS, ROWS, build
from outgrow.methods.rows import answer_rows, imitation_rows, normalise_weights
from outgrow.reliability import agreement, mean_probabilities, row_reliability

ANSWERED = build(
    ANSWERS,
    {
        "example_id": ["a", "a", "a", "b", "b", "c"],
        "source": ["s"] * 6,
        "variant": [0, 1, 2, 0, 1, 0],
        "sample": [0] * 6,
        "prompt": ["pa0", "pa1", "pa2", "pb0", "pb1", "pc0"],
        "text": ["so 3", "thus 4", "it is 4", "7", "hm", "hm"],
        "value": ["3", "4", "4", "7", None, None],
        "finish_reason": ["stop"] * 6,
    },
)
LABELLED = agreement(ANSWERED)


def test_one_row_per_question_with_a_consensus_and_no_prompt_yet():
    rows = imitation_rows(LABELLED)
    assert rows.schema == ROWS
    assert rows.select(["row_id", "example_id", "variant", "prompt", "target", "weight"]).to_pylist() == [
        {"row_id": "a/s/0", "example_id": "a", "variant": 0, "prompt": None, "target": "4", "weight": 1.0},
        {"row_id": "b/s/0", "example_id": "b", "variant": 0, "prompt": None, "target": "7", "weight": 1.0},
    ]


def test_generated_answers_are_imitated_in_the_words_of_the_first_that_gave_the_consensus():
    assert imitation_rows(LABELLED, ANSWERED).column("target").to_pylist() == ["thus 4", "7"]
    back = ANSWERED.take(pa.array([5, 4, 3, 2, 1, 0]))
    assert imitation_rows(LABELLED, back).column("target").to_pylist() == ["thus 4", "7"]


def test_a_label_of_all_sources_takes_the_first_text_of_any_of_them():
    other = ANSWERED.set_column(1, "source", pa.array(["t", "t", "s", "s", "t", "s"]))
    together = agreement(ANSWERED.drop_columns(["source"]))
    assert together["source"].null_count == 3
    assert imitation_rows(together, other).column("target").to_pylist() == ["thus 4", "7"]
    each = agreement(other, one_label_per_source=True)  # a by t: 3 and 4 once each; a by s: 4; b by s: 7
    targets = dict(zip(*(imitation_rows(each, other)[n].to_pylist() for n in ("row_id", "target")), strict=True))
    assert targets["a/s/0"] == "it is 4"
    assert targets["b/s/0"] == "7"
    assert targets["a/t/0"] in ("so 3", "thus 4")


def test_scored_answers_are_imitated_by_their_value():
    scored = ANSWERED.set_column(11, "finish_reason", pa.array(["scored"] * 6))
    assert imitation_rows(LABELLED, scored).column("target").to_pylist() == ["4", "7"]


def test_weights_belong_to_labels_also_to_those_that_give_no_row():
    assert imitation_rows(LABELLED, weights=np.array([0.5, 2.0, 9.0])).column("weight").to_pylist() == [0.5, 2.0]
    with pytest.raises(DataError, match="2 weights for 3 labels"):
        imitation_rows(LABELLED, weights=np.ones(2))


def test_soft_rows_hold_probabilities_that_sum_to_one_and_no_target():
    rows = imitation_rows(LABELLED, soft=True).to_pylist()
    assert dict(rows[0]["probabilities"]) == {"4": pytest.approx(2 / 3), "3": pytest.approx(1 / 3)}
    assert dict(rows[1]["probabilities"]) == {"7": 1.0}  # the share 1/2 of one valid answer of two, scaled
    assert [row["target"] for row in rows] == [None, None]


def test_soft_rows_take_mean_option_probabilities():
    place = ANSWERED.column_names.index("probabilities")
    maps = pa.array([[("3", 0.5), ("4", 0.3)]] * 3 + [None] * 3, ANSWERS.field(place).type)
    answers = ANSWERED.set_column(place, "probabilities", maps)
    rows = imitation_rows(mean_probabilities(answers, LABELLED), soft=True).to_pylist()
    assert dict(rows[0]["probabilities"]) == {"3": pytest.approx(0.625), "4": pytest.approx(0.375)}


def test_a_soft_label_without_mass_is_refused():
    place = LABELLED.column_names.index("probabilities")
    empty = LABELLED.set_column(place, "probabilities", pa.array([[("4", 0.0)]] * 3, LABELLED.schema.field(place).type))
    with pytest.raises(DataError, match="sum to more than 0"):
        imitation_rows(empty, soft=True)


def test_published_rows_are_all_valid_answers_with_their_own_prompts():
    rows = answer_rows(ANSWERED, weights=row_reliability(ANSWERED))
    assert rows.schema == ROWS
    assert rows.column("row_id").to_pylist() == ["a/s/0/0", "a/s/1/0", "a/s/2/0", "b/s/0/0"]
    assert rows.column("prompt").to_pylist() == ["pa0", "pa1", "pa2", "pb0"]
    assert rows.column("target").to_pylist() == ["so 3", "thus 4", "it is 4", "7"]
    # K = 3, T = .2: shares 1/3 and 2/3 -> R = 1 / (1 + e^(5/3)), and its complement; b: one valid and one invalid
    low = 1 / (1 + math.exp(5 / 3))
    np.testing.assert_allclose(rows.column("weight").to_numpy(), [low, 1 - low, 1 - low, 0.5], atol=1e-12)


def test_rows_that_share_a_key_are_refused():
    with pytest.raises(DataError, match="two training rows share the id 'a/s/0/0'"):
        answer_rows(pa.concat_tables([ANSWERED, ANSWERED]))


def weighted(*weights):
    return imitation_rows(
        agreement(pa.table({"example_id": [str(i) for i in range(len(weights))], "value": ["x"] * len(weights)})),
        weights=np.array(weights),
    )


def test_weights_are_divided_by_their_mean_once_zero_weights_are_gone():
    rows, removed = normalise_weights(weighted(0.0, 1.0, 3.0, 0.0))
    assert rows.column("weight").to_pylist() == [0.5, 1.5]
    assert rows.column("example_id").to_pylist() == ["1", "2"]
    assert removed == 2


def test_removing_rows_of_weight_zero_beforehand_changes_nothing():
    full = normalise_weights(weighted(0.2, 0.0, 0.7)).rows.column("weight").to_pylist()
    assert full == normalise_weights(weighted(0.2, 0.7)).rows.column("weight").to_pylist()


def test_scaling_all_weights_changes_nothing_unless_raw():
    a, b = normalise_weights(weighted(1.0, 3.0)), normalise_weights(weighted(10.0, 30.0))
    assert a.rows.column("weight").to_pylist() == b.rows.column("weight").to_pylist() == [0.5, 1.5]
    assert normalise_weights(weighted(10.0, 30.0), "raw").rows.column("weight").to_pylist() == [10.0, 30.0]


@pytest.mark.parametrize("wrong", [-0.1, math.nan, math.inf])
def test_a_weight_that_is_no_weight_is_refused_with_its_row(wrong):
    with pytest.raises(DataError, match=f"1 rows have a weight.*first is {wrong} of row '1/all/0'"):
        normalise_weights(weighted(1.0, wrong))


def test_weights_that_are_all_zero_and_unknown_modes_are_refused():
    with pytest.raises(DataError, match="no row has a weight above 0"):
        normalise_weights(weighted(0.0, 0.0))
    with pytest.raises(ConfigError, match="unknown weights mode 'sum_one'"):
        normalise_weights(weighted(1.0), "sum_one")

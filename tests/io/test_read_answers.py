"""Answers as users have them: two columns are enough."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outgrow.core.errors import DataError
from outgrow.core.tables import ANSWERS
from outgrow.io import read_answers, write_table
from outgrow.reliability import agreement


def lines(tmp_path, *rows, name="answers.jsonl"):
    path = tmp_path / name
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def answer(example_id, value, **more):
    return {"example_id": example_id, "value": value, **more}


def fails(path, *parts):
    with pytest.raises(DataError) as caught:
        read_answers(path)
    for part in (str(path), *parts):
        assert part in str(caught.value)


def key(table):
    return list(zip(*(table.column(n).to_pylist() for n in ("example_id", "source", "variant", "sample")), strict=True))


def test_two_columns_are_enough_and_rows_of_a_question_are_numbered_in_file_order(tmp_path):
    found = read_answers(lines(tmp_path, answer("a", "x"), answer("b", "y"), answer("a", "z"), answer("a", None)))
    assert found.schema.remove_metadata() == ANSWERS
    assert key(found) == [
        ("a", "supervisor", 0, 0),
        ("b", "supervisor", 0, 0),
        ("a", "supervisor", 0, 1),
        ("a", "supervisor", 0, 2),
    ]
    assert found.column("value").to_pylist() == ["x", "y", "z", None]


def test_missing_samples_are_numbered_within_question_source_and_variant(tmp_path):
    rows = [answer("a", "x", source=s, variant=v) for s, v in [("s", 0), ("t", 0), ("s", 0), ("s", 1), ("t", 0)]]
    assert key(read_answers(lines(tmp_path, *rows))) == [
        ("a", "s", 0, 0),
        ("a", "t", 0, 0),
        ("a", "s", 0, 1),
        ("a", "s", 1, 0),
        ("a", "t", 0, 1),
    ]


def test_numbering_can_be_left_out_but_given_samples_are_still_checked(tmp_path):
    path = lines(tmp_path, answer("a", "x"), answer("a", "y"))
    assert read_answers(path, numbered=False).column("sample").to_pylist() == [0, 0]
    twice = lines(tmp_path, answer("a", "x", sample=1), answer("a", "y", sample=1))
    with pytest.raises(DataError, match="the same answer key twice"):
        read_answers(twice, numbered=False)


def test_formats_agree(tmp_path):
    path = lines(tmp_path, answer("a", "x", logprob=-1), answer("a", None, logprob=None), answer("b", "-2", logprob=-2))
    found = read_answers(path)
    for suffix in (".csv", ".parquet"):
        other = read_answers(write_table(found, tmp_path / f"again{suffix}"))
        assert other.to_pylist() == found.to_pylist()


def test_a_blank_value_is_an_answer_that_could_not_be_parsed(tmp_path):
    found = read_answers(lines(tmp_path, answer("a", ""), answer("a", " \t"), answer("a", "x")))
    assert found.column("value").to_pylist() == [None, None, "x"]


def test_only_the_columns_asked_for_are_loaded(tmp_path):
    path = lines(tmp_path, answer("a", "x", logprob=-1, text="long", prompt="long", mood="good"))
    found = read_answers(path, only=("logprob",))
    assert found.column("logprob").to_pylist() == [-1.0]
    assert found.column("text").to_pylist() == [None]
    assert "mood" in json.loads(found.schema.metadata[b"ignored_columns"])


def test_the_same_key_twice_is_named_with_both_lines(tmp_path):
    rows = [
        answer("a", "x", sample=0),
        answer("b", "x", sample=0),
        answer("a", "y", sample=1),
        answer("b", "z", sample=0),
    ]
    fails(lines(tmp_path, *rows), "line 2 and line 4: the same answer key twice", "example_id 'b'", "sample 0")
    path = tmp_path / "answers.csv"
    path.write_text('example_id,value,sample,text\na,x,0,"two\nlines"\nb,x,0,t\na,y,0,t\n')
    fails(path, "line 2 and line 5: the same answer key twice")
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "answers.parquet")
    fails(tmp_path / "answers.parquet", "row 2 and row 4: the same answer key twice")


def test_keys_may_come_in_any_order_and_with_large_numbers(tmp_path):
    rows = [
        answer("a", "x", variant=10**18, sample=10**18),
        answer("b", "x", variant=3, sample=10**18),
        answer("a", "y", variant=3, sample=2),
    ]
    assert key(read_answers(lines(tmp_path, *rows)))[0] == ("a", "supervisor", 10**18, 10**18)
    fails(lines(tmp_path, *rows, rows[0]), "line 1 and line 4: the same answer key twice")


def test_all_answers_invalid_is_refused(tmp_path):
    fails(lines(tmp_path, answer("a", None), answer("b", "")), "none of the 2 answers has a value")


def test_missing_columns_and_empty_tables_are_refused(tmp_path):
    fails(lines(tmp_path, {"example": "a", "values": "x"}), "missing columns ['value']", "rename 'values' to 'value'?")
    fails(lines(tmp_path, {"key": "a", "answer": "x"}), "missing columns ['example_id']", "--columns OURS=THEIRS")
    fails(lines(tmp_path), "the answers table is empty")


def test_a_column_filled_in_for_some_rows_only_is_named_with_the_first_empty_line(tmp_path):
    rows = [answer("a", "x", sample=0), answer("a", "x")]
    fails(lines(tmp_path, *rows), "line 2: 'sample' is empty, but other rows have one")
    fails(lines(tmp_path, answer("a", "x"), answer("a", "x", source="s")), "line 1: 'source' is empty")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (answer("b", "x", variant=-1, sample=0), "column 'variant': -1 is not allowed; it must be at least 0"),
        (answer("b", "x", variant=0, sample=-2), "column 'sample': -2 is not allowed"),
        (answer("b", "x", variant=0, sample=0, logprob=0.9), "column 'logprob': 0.9 is not allowed"),
        (answer("b", "x", variant=0, sample=0, probabilities={"x": 0.5, "y": 1.5}), "column 'probabilities': 1.5"),
        (answer("b", "x", variant=0, sample=0, probabilities={"x": -0.5}), "column 'probabilities': -0.5"),
        (answer("b", "x", variant=0, sample=0, probabilities={"x": None}), "column 'probabilities': nan"),
    ],
)
def test_impossible_numbers_are_named_with_line_and_value(tmp_path, row, message):
    good = answer("a", "x", variant=0, sample=0, logprob=-1.0, probabilities={"x": 1.0})
    fails(lines(tmp_path, good, row), f"line 2, {message}")


def test_reading_a_large_file_numbers_samples_as_a_loop_would(tmp_path):
    import numpy as np

    rng = np.random.default_rng(0)
    ids = [f"q{i}" for i in rng.integers(0, 300, 2000)]
    pq.write_table(pa.table({"example_id": ids, "value": ["x"] * 2000}), tmp_path / "a.parquet")
    seen = {}
    expected = [seen.update({i: seen.get(i, -1) + 1}) or seen[i] for i in ids]
    found = read_answers(tmp_path / "a.parquet")
    assert found.column("sample").to_pylist() == expected
    assert agreement(found).num_rows == len(seen)

"""Numbers that 64 bits do not hold, in every format: one error with line, column and the value's beginning."""

import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outgrow.core.errors import DataError
from outgrow.io import read_answers, write_table

BEYOND = [2**63, -(2**63) - 1, 10**30, 10**400]


def rows(**changed):
    return [{"example_id": "q", "value": "x", "sample": 0}, {"example_id": "r", "value": "y", "sample": 1, **changed}]


def write(path, table):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table))
    else:
        lines = [",".join(table[1]), *(",".join(str(row.get(name, "")) for name in table[1]) for row in table)]
        path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
@pytest.mark.parametrize("column", ["sample", "variant", "n_tokens"])
@pytest.mark.parametrize("number", BEYOND)
def test_a_whole_number_beyond_64_bits_is_named_with_its_line(tmp_path, suffix, column, number):
    table = [{**row, column: row.get(column, 0)} for row in rows()]
    table[1][column] = number
    path = write(tmp_path / f"a{suffix}", table)
    with pytest.raises(DataError) as caught:
        read_answers(path)
    line, seen = (2, str(number)) if suffix == ".jsonl" else (3, f"'{number}'")
    assert str(caught.value).startswith(f"{path}, line {line}, column '{column}': {seen[:15]}")
    assert "write a whole number that fits 64 bits" in str(caught.value)
    assert len(str(caught.value)) < 300


def test_what_fits_exactly_is_read(tmp_path):
    for suffix in (".jsonl", ".csv"):
        found = read_answers(write(tmp_path / f"a{suffix}", rows(sample=2**63 - 1)))
        assert found["sample"].to_pylist() == [0, 2**63 - 1]


@pytest.mark.parametrize(("column", "number"), [("logprob", -(10**400)), ("probabilities", {"x": 10**400})])
def test_a_number_that_no_float_holds_is_named(tmp_path, column, number):
    path = write(tmp_path / "a.jsonl", rows(**{column: number}))
    with pytest.raises(DataError, match=rf"a.jsonl, line 2, column '{column}': .* is not "):
        read_answers(path)


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_a_number_of_a_million_digits_is_one_error(tmp_path, suffix):
    digits = "7" * 10**6
    text = f"example_id,value,sample\nq,x,{digits}\n"
    if suffix == ".jsonl":
        text = f'{{"example_id": "q", "value": "x", "sample": {digits}}}\n'
    (tmp_path / f"a{suffix}").write_text(text)
    with pytest.raises(DataError, match=rf"a{suffix}, line {1 if suffix == '.jsonl' else 2}") as caught:
        read_answers(tmp_path / f"a{suffix}")
    assert len(str(caught.value)) < 400


def test_numbers_of_parquet_that_do_not_fit_are_named(tmp_path):
    table = pa.table({"example_id": ["q"], "value": ["x"], "sample": pa.array([2**63], pa.uint64())})
    pq.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(DataError, match=r"a.parquet, column 'sample': the column holds uint64, not a whole number"):
        read_answers(tmp_path / "a.parquet")


def test_seeds_of_any_size_and_answers_that_are_large_numbers_are_no_trouble(cli, tmp_path):
    path = write(tmp_path / "a.jsonl", [{**row, "value": 10**40} for row in rows()])
    for verb in (["reliability"], ["curate", "--method", "majority_vote"]):
        done = cli(*verb, path, "--seed", 10**30, "--out", tmp_path / "l.jsonl")
        assert done.code == 0, done.err
        assert str(10**40) in (tmp_path / "l.jsonl").read_text()
    for row in read_answers(path)["value"].to_pylist():
        assert row == str(10**40)
    write_table(read_answers(path), tmp_path / "b.csv")
    assert read_answers(tmp_path / "b.csv")["value"].to_pylist() == [str(10**40)] * 2

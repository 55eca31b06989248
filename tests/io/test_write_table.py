"""Tables to files: complete or not at all, strict JSON, and CSV that no spreadsheet executes."""

import csv
import errno
import json
import math
import os

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.core.errors import DataError, OutgrowError
from outgrow.core.tables import ANSWERS, LABELS
from outgrow.io import read_table, write_table
from outgrow.io.csv_file import guard, unguard
from outgrow.reliability import agreement

FORMATS = [".jsonl", ".json", ".csv", ".parquet", ".pq"]
LABELLED = agreement(pa.table({"example_id": list("aabbc"), "value": ["x", "x", None, None, "y"]}))


@pytest.mark.parametrize("suffix", FORMATS)
def test_labels_survive_a_round_trip(tmp_path, suffix):
    path = write_table(LABELLED, tmp_path / f"labels{suffix}")
    found = read_table(path, LABELS, required=("example_id",), name="labels")
    assert (
        found.drop_columns(["votes", "probabilities"]).to_pylist()[:2]
        == (LABELLED.drop_columns(["votes", "probabilities"]).to_pylist()[:2])
    )
    assert found.column("votes").to_pylist() == LABELLED.column("votes").to_pylist()
    once = found.column("entropy")[2].as_py()
    assert math.isnan(once) if suffix in (".parquet", ".pq") else once is None


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_same_table_gives_the_same_bytes(tmp_path, suffix):
    a, b = (write_table(LABELLED, tmp_path / f"{name}{suffix}") for name in "ab")
    assert a.read_bytes() == b.read_bytes()


@pytest.mark.parametrize("suffix", [".jsonl", ".csv"])
def test_slices_and_several_batches_are_written_as_the_rows_they_show(tmp_path, monkeypatch, suffix):
    monkeypatch.setattr("outgrow.io.writing.BATCH_ROWS", 2)
    many = agreement(pa.table({"example_id": list("abcdefg") * 2, "value": list("xyxyxyx") + list("xxyyxyy")}))
    part = many.slice(1, 5)
    path = write_table(part, tmp_path / f"t{suffix}")
    found = read_table(path, LABELS, required=("example_id",), name="labels")
    assert found.to_pylist() == part.to_pylist()


def test_parquet_keeps_the_estimator_in_the_metadata(tmp_path):
    path = write_table(LABELLED, tmp_path / "labels.parquet")
    assert pa.parquet.read_schema(path).metadata[b"estimator"] == b"softmax"


def test_json_is_strict_and_holds_maps_as_objects(tmp_path):
    path = write_table(LABELLED, tmp_path / "labels.jsonl")
    rows = [json.loads(line, parse_constant=pytest.fail) for line in path.read_text().splitlines()]
    assert rows[0]["votes"] == {"x": 2}
    assert rows[2]["entropy"] is None


STRINGS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
TRICKY = st.one_of(STRINGS, st.text("'=+-@\t\r\n\",0.5e\x00", max_size=8))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(TRICKY, st.none() | TRICKY, st.none() | st.floats(allow_nan=False, allow_infinity=False)),
        min_size=1,
        max_size=5,
    )
)
def test_any_text_survives_csv_and_json(tmp_path_factory, rows):
    schema = pa.schema(
        [
            pa.field("a", pa.string()),
            pa.field("b", pa.string()),
            pa.field("c", pa.float64()),
            pa.field("d", pa.map_(pa.string(), pa.float64())),
        ]
    )
    maps = [[(text, 0.5)] for text, _, _ in rows]
    table = pa.table([*(list(column) for column in zip(*rows, strict=True)), maps], schema=schema)
    folder = tmp_path_factory.mktemp("t")
    for suffix in (".csv", ".jsonl"):
        found = read_table(write_table(table, folder / f"t{suffix}"), schema, required=("a",), name="t").to_pylist()
        expected = table.to_pylist()
        if suffix == ".csv":  # an empty cell is null there
            expected = [{k: None if v == "" else v for k, v in row.items()} for row in expected]
        assert found == expected


@pytest.mark.parametrize(
    "text", ["=1+1", "+1+1", "-1+1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "-inf", "'=1", "-1_0"]
)
def test_cells_that_could_be_formulas_are_quoted_and_come_back(tmp_path, text):
    schema = pa.schema([("id", pa.string()), ("text", pa.string())])
    path = write_table(pa.table([["a"], [text]], schema=schema), tmp_path / "t.csv")
    with path.open(newline="") as file:
        (_, row) = csv.reader(file)
    assert row[1] == "'" + text
    assert read_table(path, schema, required=("id",), name="t").column("text").to_pylist() == [text]


@pytest.mark.parametrize("text", ["-5", "+5", "-0.5", "-1e-3", "5", "plain", "a=b", "'quoted'"])
def test_numbers_and_plain_text_stay_as_they_are(text):
    assert guard(text) == text == unguard(text)


def test_column_names_cannot_be_formulas_either(tmp_path):
    path = write_table(pa.table({"=HYPERLINK(1)": ["x"]}), tmp_path / "t.csv")
    assert path.read_text().startswith("'=HYPERLINK(1)")


def test_a_full_disk_leaves_the_old_file_and_no_rest(tmp_path, monkeypatch):
    path = tmp_path / "t.jsonl"
    path.write_text("old\n")

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutgrowError, match="no space left; nothing was written"):
        write_table(LABELLED, path)
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_table_that_cannot_be_written_leaves_no_rest(tmp_path):
    timestamps = pa.table({"t": pa.array([0], pa.timestamp("s"))})
    with pytest.raises(TypeError):
        write_table(timestamps, tmp_path / "t.jsonl")
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_a_folder_in_the_way_and_an_unknown_suffix_are_named(tmp_path):
    with pytest.raises(DataError, match=r"the folder .*nowhere' does not exist"):
        write_table(LABELLED, tmp_path / "nowhere" / "t.csv")
    (tmp_path / "t.csv").mkdir()
    with pytest.raises(DataError, match="a folder of this name is in the way"):
        write_table(LABELLED, tmp_path / "t.csv")
    with pytest.raises(DataError, match="Excel files are read and not written"):
        write_table(LABELLED, tmp_path / "t.xlsx")


def test_a_link_is_followed_not_replaced(tmp_path):
    target = tmp_path / "real.csv"
    target.write_text("old")
    link = tmp_path / "link.csv"
    link.symlink_to(target)
    write_table(LABELLED, link)
    assert link.is_symlink()
    assert target.read_text().startswith("example_id")


def test_new_files_have_the_usual_permissions(tmp_path):
    plain = tmp_path / "plain"
    plain.touch()
    path = write_table(LABELLED, tmp_path / "t.csv")
    assert path.stat().st_mode == plain.stat().st_mode


def test_wide_answers_with_structs_and_lists_survive(tmp_path):
    row = {
        "example_id": "q",
        "source": "s",
        "variant": 0,
        "sample": 0,
        "wording": {"kind": "permutation", "template": "t", "permutation": [1, 0]},
        "prompt": "p",
        "text": "t",
        "value": "v",
        "logprob": -1.5,
        "n_tokens": 2,
        "probabilities": [("v", 1.0)],
        "finish_reason": "stop",
    }
    table = pa.Table.from_pylist([row], schema=ANSWERS)
    for suffix in FORMATS:
        path = write_table(table, tmp_path / f"a{suffix}")
        assert read_table(path, ANSWERS, required=(), name="answers").to_pylist() == [row]

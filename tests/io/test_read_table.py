"""Tables from a user's files: what is read, and what each fault is called."""

import json
import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outgrow.core.errors import DataError
from outgrow.core.tables import PROBABILITIES
from outgrow.io import read_table

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("text", pa.string()),
        pa.field("n", pa.int64()),
        pa.field("x", pa.float64()),
        pa.field("probabilities", PROBABILITIES),
        pa.field("choices", pa.list_(pa.string())),
        pa.field("wording", pa.struct([("kind", pa.string()), ("permutation", pa.list_(pa.int64()))])),
    ]
)


def write(tmp_path, name, content):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def read(path, **options):
    return read_table(path, SCHEMA, **{"required": ("id", "text"), "name": "things", **options})


def fails(path, *parts):
    with pytest.raises(DataError) as caught:
        read(path)
    for part in (str(path), *parts):
        assert part in str(caught.value)


FULL = {
    "id": "a",
    "text": 'comma, "quote"\nline\r\nbreak',
    "n": 3,
    "x": -0.5,
    "probabilities": [("yes", 0.25), ("no", 0.75)],
    "choices": ["u", "v"],
    "wording": {"kind": "identity", "permutation": [1, 0]},
}


def test_json_lines_with_nested_cells_numbers_blank_lines_and_a_byte_order_mark(tmp_path):
    row = {**FULL, "probabilities": dict(FULL["probabilities"])}
    path = write(tmp_path, "t.jsonl", "\ufeff" + json.dumps(row) + '\n\n{"id": 7, "text": null, "n": 2.0, "x": 1}\n')
    found = read(path)
    assert found.schema.remove_metadata() == SCHEMA
    assert found.to_pylist() == [
        FULL,
        {"id": "7", "text": None, "n": 2, "x": 1.0, "probabilities": None, "choices": None, "wording": None},
    ]


def test_csv_with_quoted_line_breaks_empty_cells_and_json_cells(tmp_path):
    path = write(
        tmp_path,
        "t.csv",
        "id,text,n,x,probabilities,choices\r\n"
        'a,"comma, ""quote""\nline\r\nbreak",3,-0.5,"{""yes"": 0.25, ""no"": 0.75}","[""u"", ""v""]"\r\n'
        "b,,,1e-3,,\r\n",
    )
    assert read(path).to_pylist() == [
        {**FULL, "wording": None},
        {"id": "b", "text": None, "n": None, "x": 0.001, "probabilities": None, "choices": None, "wording": None},
    ]


def test_parquet_numbers_dictionaries_and_large_strings_become_text(tmp_path):
    path = tmp_path / "t.parquet"
    table = pa.table(
        {
            "id": pa.array([1, 2, 3]),
            "text": pa.array(["u", "v", None]).dictionary_encode(),
            "n": pa.array([1, 2, 3], pa.int8()),
            "x": pa.array([1, 2, 3], pa.float32()),
            "choices": pa.array([["a"], None, []], pa.large_list(pa.large_string())),
            "probabilities": pa.array([{"u": 0.5, "v": 0.5}, {"u": 1.0, "v": None}, None]),  # as pandas writes dicts
        }
    )
    pq.write_table(table, path)
    found = read(path).to_pylist()
    assert [row["id"] for row in found] == ["1", "2", "3"]
    assert [row["text"] for row in found] == ["u", "v", None]
    assert [row["choices"] for row in found] == [["a"], None, []]
    assert [row["probabilities"] for row in found] == [[("u", 0.5), ("v", 0.5)], [("u", 1.0)], None]


@pytest.mark.parametrize("name", ["t.jsonl", "t.parquet"])
def test_whole_floats_become_text_without_a_point_as_pandas_makes_them_of_integers(tmp_path, name):
    values = [3.0, 0.5, None, 1e300]
    if name == "t.jsonl":
        path = write(tmp_path, name, "".join(json.dumps({"id": "q", "text": v}) + "\n" for v in values))
    else:
        path = tmp_path / name
        pq.write_table(pa.table({"id": ["q"] * 4, "text": values}), path)
    assert read(path).column("text").to_pylist() == ["3", "0.5", None, str(int(1e300))]


def test_booleans_become_the_words_of_json(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"id": ["a", "b"], "text": [True, False]}), path)
    json_path = write(tmp_path, "t.jsonl", '{"id": "a", "text": true}\n{"id": "b", "text": false}\n')
    assert read(path).column("text").to_pylist() == read(json_path).column("text").to_pylist() == ["true", "false"]


@pytest.mark.parametrize("name", ["t.jsonl", "t.csv", "t.parquet"])
def test_columns_that_are_not_used_are_left_out_and_listed(tmp_path, name):
    if name == "t.jsonl":
        path = write(tmp_path, name, '{"id": "a", "text": "u", "note": 1}\n{"id": "b", "text": "v", "why": [2]}\n')
    elif name == "t.csv":
        path = write(tmp_path, name, "note,id,text,why\n1,a,u,\n,b,v,2\n")
    else:
        path = tmp_path / name
        pq.write_table(pa.table({"note": [1], "id": ["a"], "text": ["u"], "why": [2]}), path)
    found = read(path)
    assert found.column_names == SCHEMA.names
    assert json.loads(found.schema.metadata[b"ignored_columns"]) == ["note", "why"]


def test_more_rows_than_one_chunk_keep_their_order(tmp_path):
    n = 120_001
    path = write(tmp_path, "t.jsonl", "".join(f'{{"id": "{i}", "text": "x"}}\n' for i in range(n)))
    assert read(path).column("id").to_pylist() == [str(i) for i in range(n)]


def test_a_missing_file_is_named_with_one_that_is_near(tmp_path):
    write(tmp_path, "answers.jsonl", "{}")
    fails(tmp_path / "answer.jsonl", "no such file", "did you mean 'answers.jsonl'?")
    fails(tmp_path / "zzz.csv", "no such file")
    (tmp_path / "folder.csv").mkdir()
    fails(tmp_path / "folder.csv", "not a file")


def test_a_suffix_that_tells_no_format_is_refused(tmp_path):
    fails(write(tmp_path, "t.txt", ""), "suffix '.txt'", ".jsonl", ".parquet")
    fails(write(tmp_path, "t", ""), "no suffix")


def test_malformed_json_is_named_with_its_line(tmp_path):
    good = '{"id": "a", "text": "u"}\n'
    fails(write(tmp_path, "t.jsonl", good + "\n" + '{"id": "b" "text": 1}\n'), "line 3: malformed JSON", "column 12")
    fails(write(tmp_path, "u.jsonl", good + '{"id": "b", "te'), "line 2: malformed JSON")
    fails(write(tmp_path, "v.jsonl", good + "[1, 2]\n"), "line 2: expected a JSON object", "[1, 2]")
    fails(write(tmp_path, "w.json", '[{"id": "a", "text": "u"},\n {"id": "b" "text": 1}]\n'), "line 2: malformed JSON")
    fails(write(tmp_path, "w.json", '[{"id": "a", "text": "u"}, 3]\n'), "item 2: expected a JSON object, found 3")
    fails(write(tmp_path, "w.json", '[{"id": "a", "text": "u"}, {"id": "b"}]\n'), "item 2: no 'text'")
    fails(write(tmp_path, "x.jsonl", "[" * 100_000 + "\n"), "line 1: malformed JSON")


def test_undecodable_bytes_are_named_with_their_line(tmp_path):
    good = b'{"id": "a", "text": "u"}\n'
    fails(write(tmp_path, "t.jsonl", good + b'{"id": "\xff"}\n'), "line 2: byte 0xff at position 9 is not UTF-8")
    fails(write(tmp_path, "t.csv", b"id,text\na,u\nb,caf\xe9\n"), "line 3: byte 0xe9 at position 6 is not UTF-8")
    fails(write(tmp_path, "u.csv", "id,text\na,u\n".encode("utf-16")), "line 1: byte 0xff", "looks like UTF-16")
    bad = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xff\xfe"]).buffers())
    pq.write_table(pa.table({"id": ["a", "b"], "text": bad}), tmp_path / "t.parquet")
    fails(tmp_path / "t.parquet", "row 2, column 'text'", "not UTF-8")


def test_half_a_surrogate_pair_is_not_text(tmp_path):
    path = write(tmp_path, "t.jsonl", '{"id": "a", "text": "fine"}\n{"id": "b", "text": "\\ud800"}\n')
    fails(path, "line 2, column 'text'", "surrogates not allowed")


def test_missing_columns_are_named_with_a_suggestion(tmp_path):
    fails(write(tmp_path, "t.csv", "id,txt\na,u\n"), "missing columns ['text']", "rename 'txt' to 'text'?")
    fails(write(tmp_path, "t.jsonl", '{"ident": 1}\n'), "missing columns ['id', 'text']", "found ['ident']")
    fails(write(tmp_path, "u.csv", "id;txt\na;u\n"), "missing columns ['text']", "found ['id', 'txt']")
    pq.write_table(pa.table({"id": ["a"]}), tmp_path / "t.parquet")
    fails(tmp_path / "t.parquet", "missing columns ['text']", "found ['id']")


def test_a_required_key_missing_in_one_row_is_named_with_its_line(tmp_path):
    path = write(tmp_path, "t.jsonl", '{"id": "a", "text": null}\n{"id": "b"}\n{"id": "c"}\n')
    fails(path, "line 2: no 'text'", "write null")


def test_an_empty_id_is_named_with_its_line(tmp_path):
    fails(write(tmp_path, "t.csv", "id,text\na,u\n,v\n"), "line 3, column 'id': empty")
    fails(write(tmp_path, "t.jsonl", '{"id": "a", "text": "u"}\n\n{"id": null, "text": "v"}\n'), "line 3, column 'id'")
    pq.write_table(pa.table({"id": ["a", None], "text": ["u", "v"]}), tmp_path / "t.parquet")
    fails(tmp_path / "t.parquet", "row 2, column 'id': empty")


@pytest.mark.parametrize("name", ["t.jsonl", "t.csv", "t.parquet"])
def test_an_empty_table_is_refused(tmp_path, name):
    if name == "t.parquet":
        path = tmp_path / name
        pq.write_table(pa.table({"id": pa.array([], pa.string()), "text": pa.array([], pa.string())}), path)
    else:
        path = write(tmp_path, name, "\n" if name == "t.jsonl" else "id,text\n")
    fails(path, "the things table is empty")


def test_a_csv_file_without_a_header_with_ragged_rows_or_open_quotes_is_refused(tmp_path):
    fails(write(tmp_path, "t.csv", ""), "the file is empty")
    fails(write(tmp_path, "u.csv", "id,text\na,u\nb,v,w\n"), "line 3: 3 cells where the header has 2")
    fails(write(tmp_path, "v.csv", 'id,text\na,"two\nlines"\nb\n'), "line 4: 1 cells")
    fails(write(tmp_path, "w.csv", 'id,text\na,u\nb,"open\n'), "line 3: malformed CSV")
    fails(write(tmp_path, "x.csv", "id,text,id\na,u,b\n"), "line 1: the header names ['id'] more than once")


@pytest.mark.parametrize(
    ("column", "cell", "named"),
    [
        ("n", "1.5", "a whole number"),
        ("n", "true", "a whole number"),
        ("n", '"3"', "a whole number"),
        ("n", "1e30", "a whole number"),
        ("x", '"0.5"', "a number"),
        ("x", "false", "a number"),
        ("text", "[1]", "text"),
        ("text", "NaN", "text"),
        ("probabilities", "[0.5]", "an object"),
        ("probabilities", '{"a": "high"}', "an object"),
        ("choices", '"abc"', "a list"),
        ("choices", '[["a"]]', "a list"),
        ("wording", '{"permutation": [0.5]}', "an object"),
    ],
)
def test_a_json_value_of_the_wrong_kind_is_named_with_line_column_and_value(tmp_path, column, cell, named):
    good = {"n": "1", "x": "0.5", "text": '"t"', "probabilities": "{}", "choices": "[]", "wording": "{}"}
    rows = [{"id": '"a"', **good}, {"id": '"b"', **good, column: cell}]
    lines = "".join("{" + ", ".join(f'"{k}": {v}' for k, v in row.items()) + "}\n" for row in rows)
    fails(write(tmp_path, "t.jsonl", lines), f"line 2, column '{column}': ", f"is not {named}")


@pytest.mark.parametrize(("column", "cell"), [("n", "one"), ("n", "1.5"), ("x", "0,5"), ("choices", "a|b")])
def test_a_csv_cell_of_the_wrong_kind_is_named_with_line_column_and_value(tmp_path, column, cell):
    path = write(tmp_path, "t.csv", f'id,text,{column}\na,"u\nu",\nb,v,"{cell}"\n')
    fails(path, f"line 4, column '{column}': '{cell}' is not")


def test_a_parquet_column_of_the_wrong_kind_and_a_broken_file_are_named(tmp_path):
    path = tmp_path / "t.parquet"
    pq.write_table(pa.table({"id": ["a"], "text": ["u"], "n": ["one"]}), path)
    fails(path, "column 'n': the column holds string, not a whole number")
    pq.write_table(pa.table({"id": ["a"], "text": [["u"]]}), path)
    fails(path, "column 'text': the column holds list")
    fails(write(tmp_path, "u.parquet", b"PAR1 no"), "not a Parquet file")


def test_nan_in_a_number_column_of_json_stays_nan(tmp_path):
    found = read(write(tmp_path, "t.jsonl", '{"id": "a", "text": "u", "x": NaN}\n'))
    assert math.isnan(found.column("x")[0].as_py())

"""CSV by pyarrow and row by row: both give the same text, or the first leaves the file to the second."""

import csv
import io
import itertools
import math

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from outgrow.core.errors import DataError
from outgrow.io.cells import CellError, from_cells, from_text
from outgrow.io.csv_file import CHUNK_ROWS, _carefully, _header, _quickly, csv_line, csv_text
from outgrow.io.dialect import dialect

HOSTILE = [
    b",", b'"', b'""', b"\n", b"\r", b"\r\n", b"\0", b"'", b"=", b" ", b"\t", b"\x1a", b"a", b"1", b"NA", b"null",
    b"\\", b"\xef\xbb\xbf", "é".encode(), "\u2028".encode(), "\x85".encode(), "😀".encode(), b"\xff", b"\xed\xa0\x80",
]  # fmt: skip
HEADERS = [b"a\n", b"a,b\n", b'\xef\xbb\xbf"a",b,c\r\n', b'\n"a\nd",b\n']


def both(path):
    """The columns by pyarrow (None: left to the other), and row by row (None: refused)."""
    with path.open("rb") as file:
        how = dialect(path)
        header = _header(path, file, how)
        quick = _quickly(file.read(), header, header, how)
    try:
        careful = _carefully(path, header, header, how)
    except DataError:
        careful = None
    return quick, careful


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(HEADERS), st.lists(st.sampled_from(HOSTILE), max_size=24))
@example(b"a,b\n", [b"1", b",", b'"', b"a", b'"', b"1", b"\n"])  # text after a closing quote
@example(b"a,b\n", [b"1", b",", b"a", b"\r", b"1", b",", b"a", b"\n"])  # a lone carriage return
@example(b"a\n", [b"\xef\xbb\xbf", b"1"])  # a byte order mark that is none
@example(b"a,b\n", [b"1", b",", b"a", b'"', b"a", b"\n", b'"', b",", b'"', b"\n"])  # a quote within a cell
def test_on_any_bytes_pyarrow_gives_the_same_text_or_none(tmp_path_factory, header, tokens):
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_bytes(header + b"".join(tokens))
    quick, careful = both(path)
    assert quick is None or (careful is not None and quick.equals(careful))


CELLS = st.text(st.sampled_from("ab1 ,\"\n'=é😀\\"), max_size=6)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(CELLS, CELLS), min_size=1, max_size=6), st.booleans(), st.sampled_from(["\n", "\r\n"]))
def test_files_as_programs_write_them_are_read_by_pyarrow_and_lines_are_counted(tmp_path_factory, rows, quoted, end):
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL, lineterminator=end).writerows(
        [("a", "b"), *rows]
    )
    path = tmp_path_factory.mktemp("t") / "t.csv"
    path.write_bytes(text.getvalue().encode())
    quick, careful = both(path)
    assert quick is not None
    assert quick.equals(careful)
    assert quick.to_pylist() == [{"a": a or None, "b": b or None} for a, b in rows]
    breaks = [1 + a.count("\n") + b.count("\n") for a, b in rows]
    assert [csv_line(path, i) for i in range(len(rows))] == list(itertools.accumulate(breaks[:-1], initial=2))


def test_a_file_that_pyarrow_cannot_read_is_read_row_by_row_over_several_chunks(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + 'x,6" pipe\n' * (CHUNK_ROWS + 1))
    assert both(path)[0] is None
    header, table = csv_text(path, ("b",))
    assert header == ["a", "b"]
    assert table.column("b").to_pylist() == ['6" pipe'] * (CHUNK_ROWS + 1)


def test_a_cell_longer_than_a_block_of_pyarrow_is_read(tmp_path):
    path = tmp_path / "t.csv"
    long = "long, " * 500_000
    path.write_text(f'a,b\nx,"{long}"\n')
    assert csv_text(path, ("b",))[1].column("b").to_pylist() == [long]


def test_bytes_that_are_not_utf8_are_refused_in_columns_that_nobody_asked_for(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\nx,y\nx,\xff\n")
    with pytest.raises(DataError, match="line 3: byte 0xff at position 3 is not UTF-8"):
        csv_text(path, ("a",))


def test_a_file_without_the_columns_asked_for_still_tells_its_rows(tmp_path):
    path = tmp_path / "t.csv"
    path.write_text("a,b\nx,y\nx,z\n")
    header, table = csv_text(path, ("c",))
    assert (header, table.num_rows) == (["a", "b"], 2)


NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(repr),
    st.text(st.sampled_from("0123456789+-.eE_ xXnaif٣"), min_size=1, max_size=9),
    st.none(),
)


def as_read(convert, cells):
    try:
        return [repr(value) for value in convert(cells).to_pylist()]
    except CellError as error:
        return error.row, error.problem


@settings(max_examples=400, deadline=None)
@given(st.lists(NUMBERS, min_size=1, max_size=4), st.sampled_from([pa.int64(), pa.float64()]))
@example(["0x1F"], pa.int64())
@example(["9223372036854775808"], pa.int64())
@example(["9007199254740993"], pa.float64())
@example(["1" * 400, "1e999", "-0.", "00"], pa.float64())
def test_numbers_of_a_column_are_those_of_its_cells_one_by_one(cells, kind):
    column = pa.chunked_array([pa.array(cells, pa.string())])
    assert as_read(lambda _: from_text(column, kind), cells) == as_read(
        lambda them: from_cells(them, kind, text=True), cells
    )


def test_equal_cells_of_json_are_taken_apart_once_and_a_fault_is_named_at_its_first_row():
    kind = pa.map_(pa.string(), pa.float64())
    cells = ['{"u": 0.5}', None, '{"u": 0.5}', '{"v": 1}']
    column = pa.chunked_array([pa.array(cells[:2], pa.string()), pa.array(cells[2:], pa.string())])
    assert from_text(column, kind).to_pylist() == [[("u", 0.5)], None, [("u", 0.5)], [("v", 1.0)]]
    with pytest.raises(CellError) as caught:
        from_text(pa.chunked_array([pa.array(["{}", None, "{}", "[", "x", "["])]), kind)
    assert caught.value.row == 3


def test_numbers_too_large_to_be_exact_are_rounded():
    found = from_text(pa.chunked_array([["9007199254740993", "1" + "0" * 400]]), pa.float64())
    assert found.to_pylist() == [9007199254740992.0, math.inf]

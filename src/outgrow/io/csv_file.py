"""CSV files (double quotes, quoted line breaks allowed) as columns of text; what separates cells is found out.

pyarrow reads them, after a check that it reads what `_rows` would: it takes text after a closing quote for part of the
cell and a lone carriage return for a line break, where `_rows` refuses them. Everything else `_rows` reads, row by row;
it also finds the line of a row when a message needs it.
"""

from __future__ import annotations

import codecs
import csv
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from outgrow.core.errors import DataError
from outgrow.io.dialect import Dialect, dialect
from outgrow.io.text import decoded

CHUNK_ROWS = 50_000
FORMULA = "=+-@\t\r\n＝＋－＠"
GUARDED = rf"^'('*[{re.escape(FORMULA)}])"
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")


def csv_header(path: Path) -> list[str]:
    """The names in the header.

    Raises:
        DataError: there is no header, it repeats a name, or it is malformed.
    """
    with path.open("rb") as file:
        return _header(path, file, dialect(path))


def csv_text(path: Path, names: Iterable[str]) -> tuple[list[str], pa.Table]:
    """The header, and those of the columns `names` that the file has, in its order; null where a cell is empty.

    Where it has none of them the table is of the file's first column, so that its rows are counted.

    Raises:
        DataError: a line is not UTF-8, the header is missing or repeats a name, or a row has another number of cells.
    """
    wanted, how = set(names), dialect(path)
    with path.open("rb") as file:
        header = _header(path, file, how)
        body = file.read()
    columns = [name for name in header if name in wanted] or header[:1]
    table = _quickly(body, header, columns, how)
    if table is None:
        table = _carefully(path, header, columns, how)
    for i, column in enumerate(table.columns):
        if pc.any(pc.starts_with(column, "'")).as_py():
            plain = pc.replace_substring_regex(column, GUARDED, r"\1", max_replacements=1)
            table = table.set_column(i, table.field(i), plain)
    return header, table


def csv_line(path: Path, row: int) -> int:
    """The line that a row (from 0, without the header) starts on, from 1."""
    with path.open("rb") as file:
        return next(islice(_rows(path, file, dialect(path)), row + 1, None))[0]


def _header(path: Path, file: Iterable[bytes], how: Dialect) -> list[str]:
    line, cells = next(_rows(path, file, how), (0, None))
    if cells is None:
        raise DataError(f"{path}: the file is empty; a CSV file needs a header line")
    header = [unguard(cell).strip() for cell in cells]
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise DataError(f"{path}, line {line}: the header names {twice} more than once")
    return header


def _quickly(body: bytes, header: Sequence[str], columns: Sequence[str], how: Dialect) -> pa.Table | None:
    """The columns of what follows the header; None where pyarrow refuses it or might misread it."""
    if body.startswith(codecs.BOM_UTF8) or b"\0" in body or body.count(b"\r") != body.count(b"\r\n"):
        return None
    if not _quotes_enclose(body, how.separator):
        return None
    try:
        if not body.isascii():
            body.decode("utf-8")  # pyarrow checks only the columns that it converts
        return arrow_csv.read_csv(
            pa.BufferReader(body),
            read_options=arrow_csv.ReadOptions(column_names=header),
            parse_options=arrow_csv.ParseOptions(delimiter=how.separator, newlines_in_values=b'"' in body),
            convert_options=arrow_csv.ConvertOptions(
                include_columns=columns,
                column_types=dict.fromkeys(columns, pa.string()),
                null_values=[""],
                strings_can_be_null=True,
                check_utf8=False,
            ),
        )
    except (UnicodeDecodeError, pa.ArrowException):
        return None


def _quotes_enclose(body: bytes, separator: str) -> bool:
    """Whether every quote opens a cell, closes one, or is one of two that stand for one inside."""
    if b'"' not in body:
        return True
    text = np.frombuffer(body, np.uint8)
    at = np.flatnonzero(text == ord('"'))
    if len(at) % 2:
        return False
    opening, closing = at[::2], at[1::2]  # also the second and the first of two inside a cell
    before = text[opening[opening > 0] - 1]
    after = text[closing[closing < len(text) - 1] + 1]
    beside = [*separator.encode(), *b'\n"']
    return bool(np.isin(before, beside).all() and np.isin(after, [*beside, ord("\r")]).all())


def _carefully(path: Path, header: Sequence[str], columns: Sequence[str], how: Dialect) -> pa.Table:
    places = [header.index(name) for name in columns]
    parts: list[list[pa.Array]] = [[] for _ in columns]
    with path.open("rb") as file:
        rows = (cells for _, cells in islice(_rows(path, file, how), 1, None))
        while chunk := list(islice(rows, CHUNK_ROWS)):
            for part, place in zip(parts, places, strict=True):
                part.append(pa.array([cells[place] or None for cells in chunk], pa.string()))
    return pa.table([pa.chunked_array(part, pa.string()) for part in parts], names=list(columns))


def _rows(path: Path, file: Iterable[bytes], how: Dialect) -> Iterator[tuple[int, list[str]]]:
    """The cells of the header and of each row after it, with the line they start on; empty lines are skipped."""
    limit = csv.field_size_limit(2**31 - 1)
    width = 0
    try:
        lines = (line for number, line in decoded(path, file) if number > how.declared)
        reader = csv.reader(lines, delimiter=how.separator, strict=True)
        while True:
            start = reader.line_num + 1 + how.declared
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise DataError(f"{path}, line {start}: malformed CSV ({error})") from None
            if cells is None:
                return
            if not cells:
                continue
            width = width or len(cells)
            if len(cells) != width:
                raise DataError(
                    f"{path}, line {start}: {len(cells)} cells where the header has {width}; "
                    f"cells that hold {how.name}, quotes or line breaks need double quotes around them"
                )
            yield start, cells
    finally:
        csv.field_size_limit(limit)


def guard(text: str) -> str:
    """A CSV cell that no spreadsheet takes for a formula.

    Text that begins with = + - @ (also their full-width forms), tab or a line break gets an apostrophe in front, plain
    numbers do not. `unguard` undoes it exactly; for that, text that already looks guarded gets one more.
    """
    rest = text.lstrip("'")
    return "'" + text if rest and rest[0] in FORMULA and not NUMBER.fullmatch(text) else text


def unguard(cell: str) -> str:
    """The text of a CSV cell, without the apostrophe that kept it from being a formula."""
    return re.sub(GUARDED, r"\1", cell)

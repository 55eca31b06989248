"""Reading a table from JSON, CSV, Excel or Parquet: the edge where a user's file becomes Arrow."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from outgrow.core.errors import DataError
from outgrow.io.cells import CellError, from_arrow, from_cells, from_text
from outgrow.io.columns import Synonyms, check_given, recognise
from outgrow.io.csv_file import csv_header, csv_line, csv_text
from outgrow.io.excel import excel_header, excel_text
from outgrow.io.text import MISSING, first_row, is_array, json_chunks

FORMATS = {
    ".jsonl": "json", ".json": "json", ".csv": "csv", ".tsv": "csv", ".parquet": "parquet", ".pq": "parquet",
    ".xlsx": "excel",
}  # fmt: skip


@dataclass(frozen=True)
class Loaded:
    """A table and where each of its rows stands in the file."""

    path: Path
    table: pa.Table
    line_of: Callable[[int], int] | None  # None: Parquet, rows are counted
    unit: str = "line"  # what `line_of` counts

    def where(self, row: int) -> str:
        """File and line (Parquet: file and row) of a row, for messages."""
        return f"{self.path}, {self.line(row)}"

    def line(self, row: int) -> str:
        """Line (Parquet: row) of a row, for messages."""
        return f"row {row + 1}" if self.line_of is None else f"{self.unit} {self.line_of(row)}"


def table_format(path: Path | str) -> str:
    """`json`, `csv`, `parquet` or `excel`, by suffix.

    Raises:
        DataError: another suffix.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        seen = f"the suffix '{suffix}'" if suffix else "no suffix"
        raise DataError(f"{path}: the format cannot be told from {seen}; use {', '.join(FORMATS)}")
    return FORMATS[suffix]


def read_table(path: Path | str, schema: pa.Schema, *, required: Sequence[str], name: str) -> pa.Table:
    """A table in exactly `schema`, from JSON (.jsonl, .json), CSV (.csv, .tsv), Excel (.xlsx) or Parquet (.parquet).

    JSON is an object per line, or one array of objects. In CSV the separator may be a comma, a semicolon, a tab or a
    vertical bar. Columns of the file that the schema does not have are left out and listed, as a JSON array, in the
    metadata `ignored_columns`. Columns the file does not have are null. In CSV an empty cell is null; maps, lists and
    structs stand in CSV cells as JSON. Numbers become text where the schema wants text.

    Args:
        path: the file.
        schema: columns and types.
        required: columns that must be there (they may hold null if the schema lets them); those that the schema
            forbids to be null are required too.
        name: what the table is called in messages, e.g. "answers".

    Raises:
        DataError: what is wrong with the file, with line (Parquet: row), column and the value seen.
    """
    return load(path, schema, required=required, name=name).table


def load(
    path: Path | str,
    schema: pa.Schema,
    *,
    required: Sequence[str],
    name: str,
    synonyms: Synonyms | None = None,
    columns: Mapping[str, str] | None = None,
) -> Loaded:
    """`read_table`, with the line of every row.

    Args:
        path: as for `read_table`.
        schema: as for `read_table`.
        required: as for `read_table`.
        name: as for `read_table`.
        synonyms: take columns by names in another case and by these (`outgrow.io.columns`); those that were taken for
            ours are listed, as a JSON object of ours to theirs, in the metadata `taken_columns`.
        columns: ours to theirs, as the user says.
    """
    path = Path(path)
    form = table_format(path)
    needed = [f.name for f in schema if f.name in required or not f.nullable]
    if not path.exists():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")] if path.name else [], 1)
        raise DataError(f"{path}: no such file" + (f"; did you mean '{near[0]}'?" if near else ""))
    if not path.is_file():
        raise DataError(f"{path}: not a file")
    taken: dict[str, str] = {}
    try:
        if synonyms is not None or columns:
            present = column_names(path)
            check_given(path, present, columns)
            taken = recognise(present, schema.names, synonyms or {}, columns)
        theirs = pa.schema([field.with_name(taken.get(field.name, field.name)) for field in schema])
        readers = {"json": _load_json, "csv": _load_csv, "parquet": _load_parquet, "excel": _load_excel}
        loaded = readers[form](path, theirs, [taken.get(each, each) for each in needed])
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    if any(ours != other for ours, other in taken.items()):
        loaded = _renamed(loaded, schema, {ours: other for ours, other in taken.items() if ours != other})
    _check_rows(loaded, schema, name)
    return loaded


def _renamed(loaded: Loaded, schema: pa.Schema, taken: Mapping[str, str]) -> Loaded:
    metadata = {**(loaded.table.schema.metadata or {}), b"taken_columns": json.dumps(taken).encode()}
    table = loaded.table.rename_columns(schema.names).replace_schema_metadata(metadata)
    return replace(loaded, table=table)


def refuse_twice(loaded: Loaded, keys: Iterable[Hashable], advice: str) -> None:
    """Refuse a question that stands in two rows.

    Args:
        loaded: the table.
        keys: of each row: the question, or a tuple that begins with it.
        advice: the end of the message.

    Raises:
        DataError: names both lines.
    """
    first: dict[Hashable, int] = {}
    for row, key in enumerate(keys):
        if first.setdefault(key, row) != row:
            question = key[0] if isinstance(key, tuple) else key
            where = f"{loaded.path}, {loaded.line(first[key])} and {loaded.line(row)}"
            raise DataError(f"{where}: the question {question!r} twice; {advice}")


def _check_rows(loaded: Loaded, schema: pa.Schema, name: str) -> None:
    if loaded.table.num_rows == 0:
        raise DataError(f"{loaded.path}: the {name} table is empty; it needs at least one row")
    for field in schema:
        found = loaded.table.column(field.name)
        if not field.nullable and found.null_count:
            row = pc.index(found.is_null(), True).as_py()
            raise DataError(f"{loaded.where(row)}, column '{field.name}': empty; every row needs a value")


def column_names(path: Path | str) -> list[str]:
    """The columns of a file: Parquet's schema, a CSV header, the keys of the first JSON line; [] where there is none.

    Raises:
        DataError: the format cannot be told, or the file's beginning is malformed.
    """
    return list(first_cells(path))


def first_cells(path: Path | str) -> dict[str, Any]:
    """The columns of a file, each with its first JSON cell; of CSV with null, of Parquet with one of its type's form.

    Raises:
        DataError: as `column_names`.
    """
    path = Path(path)
    form = table_format(path)
    if not path.is_file():
        return {}
    if form == "parquet":
        try:
            return {field.name: _like(field.type) for field in pq.read_schema(path)}
        except (pa.ArrowInvalid, OSError):
            return {}  # told by whoever reads it
    if form == "excel":
        return dict.fromkeys(excel_header(path))
    return dict.fromkeys(csv_header(path)) if form == "csv" else first_row(path)


def _like(kind: pa.DataType) -> Any:
    if pa.types.is_struct(kind):
        return {field.name: _like(field.type) for field in kind}
    return [_like(kind.value_type)] if pa.types.is_list(kind) or pa.types.is_large_list(kind) else None


def _load_parquet(path: Path, schema: pa.Schema, needed: Sequence[str]) -> Loaded:
    try:
        with pq.ParquetFile(path) as file:
            present = file.schema_arrow.names
            _check_columns(path, present, needed)
            given = file.read(columns=[name for name in schema.names if name in present])
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{path}: not a Parquet file that can be read ({error})") from None
    return Loaded(path, _conformed(given, schema, present, str(path)), None)


def load_arrow(table: pa.Table, schema: pa.Schema, *, required: Sequence[str], name: str) -> Loaded:
    """A table in memory in exactly `schema`, as `load` reads one from a file; messages call it by `name`."""
    path = Path(f"the {name} table")
    _check_columns(path, table.column_names, [f.name for f in schema if f.name in required or not f.nullable])
    loaded = Loaded(path, _conformed(table, schema, table.column_names, str(path)), None)
    _check_rows(loaded, schema, name)
    return loaded


def _conformed(given: pa.Table, schema: pa.Schema, present: Sequence[str], where: str) -> pa.Table:
    def place(row: int) -> str:
        return f"{where}, row {row + 1}" if row >= 0 else where

    columns = _columns(given, schema, from_arrow, place)
    return _table(columns, schema, [n for n in present if n not in schema.names])


def _load_csv(path: Path, schema: pa.Schema, needed: Sequence[str]) -> Loaded:
    header, text = csv_text(path, schema.names)
    if text.num_rows:
        _check_columns(path, header, needed)
    columns = _columns(text, schema, from_text, lambda row: f"{path}, line {csv_line(path, row)}")
    ignored = [name for name in header if name not in schema.names]
    return Loaded(path, _table(columns, schema, ignored), partial(csv_line, path))


def _load_excel(path: Path, schema: pa.Schema, needed: Sequence[str]) -> Loaded:
    header, text, rows = excel_text(path, schema.names)
    _check_columns(path, header, needed)
    columns = _columns(text, schema, from_text, lambda row: f"{path}, row {rows[row]}")
    ignored = [name for name in header if name not in schema.names]
    return Loaded(path, _table(columns, schema, ignored), rows.__getitem__, "row")


def _columns(
    given: pa.Table,
    schema: pa.Schema,
    convert: Callable[[pa.ChunkedArray, pa.DataType], pa.ChunkedArray],
    place: Callable[[int], str],
) -> list[pa.ChunkedArray]:
    """The schema's columns, those that were not given null; `place` names a row for messages."""
    columns, rows = [], given.num_rows
    for field in schema:
        if field.name not in given.column_names:
            columns.append(pa.chunked_array([pa.nulls(rows, field.type)]))
            continue
        try:
            columns.append(convert(given.column(field.name), field.type))
        except CellError as error:
            raise DataError(f"{place(error.row)}, column '{field.name}': {error.problem}") from None
        given = given.drop_columns([field.name])
    return columns


def _load_json(path: Path, schema: pa.Schema, needed: Sequence[str]) -> Loaded:
    parts: dict[str, list[pa.Array]] = {name: [] for name in schema.names}
    lines: list[int] = []
    unit = "item" if is_array(path) else "line"
    present: dict[str, None] = {}
    absent: dict[str, int] = {}  # first line without the key
    for chunk in json_chunks(path, schema.names):
        lines += chunk.lines
        for name, given in chunk.columns.items():
            if name not in parts:
                present[name] = None
                continue
            if any(cell is not MISSING for cell in given):
                present[name] = None
            if name in needed and name not in absent and MISSING in given:
                absent[name] = chunk.lines[given.index(MISSING)]
            cells = [None if cell is MISSING else cell for cell in given]
            try:
                parts[name].append(from_cells(cells, schema.field(name).type, text=False))
            except CellError as error:
                where = f"{path}, {unit} {chunk.lines[error.row]}"
                raise DataError(f"{where}, column '{name}': {error.problem}") from None
    if lines:
        _check_columns(path, list(present), needed)
    for name, line in absent.items():
        raise DataError(f"{path}, {unit} {line}: no '{name}'; write null where there is no value")
    columns = [
        pa.chunked_array(parts[f.name], f.type) if parts[f.name] else pa.chunked_array([pa.nulls(len(lines), f.type)])
        for f in schema
    ]
    ignored = [name for name in present if name not in parts]
    return Loaded(path, _table(columns, schema, ignored), lines.__getitem__, unit)


def _table(columns: Sequence[pa.ChunkedArray], schema: pa.Schema, ignored: Sequence[str]) -> pa.Table:
    return pa.table(columns, schema=schema.with_metadata({"ignored_columns": json.dumps(list(ignored))}))


def _check_columns(path: Path, present: Sequence[str], needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in present]
    if not missing:
        return
    hints, spare = [], [p for p in present if p not in needed]
    for name in missing:
        near = difflib.get_close_matches(name, spare, 1, 0.5) or [p for p in spare if p.lower() in name]
        hints += [f"rename '{near[0]}' to '{name}'?"] if near else []
    hints += ["or say which column is which: --columns OURS=THEIRS"] if present else []
    raise DataError(f"{path}: missing columns {missing}; found {list(present)}" + "".join(f"; {h}" for h in hints))

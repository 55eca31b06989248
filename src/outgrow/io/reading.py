"""Reading a table from JSON Lines, CSV or Parquet: the edge where a user's file becomes Arrow."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from jaxtyping import Int

from outgrow.core.errors import DataError
from outgrow.io.cells import CellError, from_arrow, from_cells
from outgrow.io.text import MISSING, Chunk, csv_chunks, first_keys, json_chunks

FORMATS = {".jsonl": "json", ".json": "json", ".csv": "csv", ".parquet": "parquet", ".pq": "parquet"}


@dataclass(frozen=True)
class Loaded:
    """A table and where each of its rows stands in the file."""

    path: Path
    table: pa.Table
    lines: Int[np.ndarray, "rows"] | None  # None: Parquet, rows are counted

    def where(self, row: int) -> str:
        """File and line (Parquet: file and row) of a row, for messages."""
        return f"{self.path}, {self.line(row)}"

    def line(self, row: int) -> str:
        """Line (Parquet: row) of a row, for messages."""
        return f"row {row + 1}" if self.lines is None else f"line {self.lines[row]}"


def table_format(path: Path | str) -> str:
    """`json`, `csv` or `parquet`, by suffix.

    Raises:
        DataError: another suffix.
    """
    suffix = Path(path).suffix.lower()
    if suffix not in FORMATS:
        seen = f"the suffix '{suffix}'" if suffix else "no suffix"
        raise DataError(f"{path}: the format cannot be told from {seen}; use {', '.join(FORMATS)}")
    return FORMATS[suffix]


def read_table(path: Path | str, schema: pa.Schema, *, required: Sequence[str], name: str) -> pa.Table:
    """A table in exactly `schema`, from JSON Lines (.jsonl, .json), CSV (.csv) or Parquet (.parquet, .pq).

    Columns of the file that the schema does not have are left out and listed, as a JSON array, in the metadata
    `ignored_columns`. Columns the file does not have are null. In CSV an empty cell is null; maps, lists and
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


def load(path: Path | str, schema: pa.Schema, *, required: Sequence[str], name: str) -> Loaded:
    """`read_table`, with the line of every row."""
    path = Path(path)
    form = table_format(path)
    needed = [f.name for f in schema if f.name in required or not f.nullable]
    if not path.exists():
        near = difflib.get_close_matches(path.name, [p.name for p in path.parent.glob("*")] if path.name else [], 1)
        raise DataError(f"{path}: no such file" + (f"; did you mean '{near[0]}'?" if near else ""))
    if not path.is_file():
        raise DataError(f"{path}: not a file")
    try:
        loaded = _load_parquet(path, schema, needed) if form == "parquet" else _load_text(path, form, schema, needed)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    _check_rows(loaded, schema, name)
    return loaded


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
    path = Path(path)
    form = table_format(path)
    if not path.is_file():
        return []
    if form == "parquet":
        try:
            return list(pq.read_schema(path).names)
        except (pa.ArrowInvalid, OSError):
            return []  # told by whoever reads it
    if form == "csv":
        return list(next(csv_chunks(path)).columns)
    return first_keys(path)


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
    columns = []
    for field in schema:
        if field.name not in given.column_names:
            columns.append(pa.chunked_array([pa.nulls(given.num_rows, field.type)]))
            continue
        try:
            columns.append(from_arrow(given.column(field.name), field.type))
        except CellError as error:
            row = f", row {error.row + 1}" if error.row >= 0 else ""
            raise DataError(f"{where}{row}, column '{field.name}': {error.problem}") from None
        given = given.drop_columns([field.name])
    return _table(columns, schema, [n for n in present if n not in schema.names])


def _load_text(path: Path, form: str, schema: pa.Schema, needed: Sequence[str]) -> Loaded:
    chunks: Iterator[Chunk] = json_chunks(path, schema.names) if form == "json" else csv_chunks(path)
    parts: dict[str, list[pa.Array]] = {name: [] for name in schema.names}
    lines: list[Int[np.ndarray, "rows"]] = []
    present: dict[str, None] = {}
    absent: dict[str, int] = {}  # first line without the key
    for chunk in chunks:
        lines.append(np.asarray(chunk.lines, dtype=np.int64))
        for name, given in chunk.columns.items():
            if name not in parts:
                present[name] = None
                continue
            cells: Any = given
            if form == "csv" or any(cell is not MISSING for cell in given):
                present[name] = None
            if form == "json" and name in needed and name not in absent and MISSING in given:
                absent[name] = chunk.lines[given.index(MISSING)]
            if form == "json":
                cells = [None if cell is MISSING else cell for cell in given]
            kind = schema.field(name).type
            try:
                parts[name].append(from_cells(cells, kind, text=form == "csv"))
            except CellError as error:
                raise DataError(f"{path}, line {chunk.lines[error.row]}, column '{name}': {error.problem}") from None
    if sum(map(len, lines)):
        _check_columns(path, list(present), needed)
    for name, line in absent.items():
        raise DataError(f"{path}, line {line}: no '{name}'; write null where there is no value")
    n_rows = sum(map(len, lines))
    columns = [
        pa.chunked_array(parts[f.name], f.type) if parts[f.name] else pa.chunked_array([pa.nulls(n_rows, f.type)])
        for f in schema
    ]
    ignored = [name for name in present if name not in parts]
    return Loaded(path, _table(columns, schema, ignored), np.concatenate(lines))


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
    if not hints and {"task", "label"} <= {p.strip().lower() for p in present}:
        hints = ["columns of crowdsourcing tools are named task, worker, label, in lower case"]
    if len(present) == 1 and any(mark in present[0] for mark in ";\t|"):
        hints = ["separate the columns with commas"]
    raise DataError(f"{path}: missing columns {missing}; found {list(present)}" + "".join(f"; {h}" for h in hints))

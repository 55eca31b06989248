"""Writing a table to JSON Lines, CSV or Parquet, all of it or nothing."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from outgrow.core.errors import DataError
from outgrow.core.files import whole_file
from outgrow.io.csv_file import guard
from outgrow.io.reading import table_format

BATCH_ROWS = 50_000


def write_table(table: pa.Table, path: Path | str) -> Path:
    """Write a table by suffix (.jsonl, .json, .csv, .tsv, .parquet, .pq); the file appears complete or not at all.

    JSON has no NaN: numbers that are not finite become null there. In CSV null is an empty cell, maps, lists and
    structs are JSON, and text that a spreadsheet could take for a formula gets an apostrophe in front, which
    `read_table` takes off again. The table's metadata is kept by Parquet only.

    Raises:
        DataError: unknown suffix, or the folder does not exist or cannot be written to.
        OutgrowError: the disk is full; nothing was written.
    """
    path = Path(path)
    form = writable_format(path)
    with whole_file(path) as file:
        if form == "parquet":
            pq.write_table(table, file, compression="zstd")
        elif form == "json":
            _write_json(table, file)
        else:
            _write_csv(table, file, "\t" if path.suffix.lower() == ".tsv" else ",")
    return path


def writable_format(path: Path | str) -> str:
    """`json`, `csv` or `parquet`, by suffix.

    Raises:
        DataError: another suffix, or one of a format that is only read.
    """
    form = table_format(path)
    if form == "excel":
        raise DataError(f"{path}: Excel files are read and not written; write .csv, which Excel opens")
    return form


def _write_json(table: pa.Table, file: IO[bytes]) -> None:
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(", ", ": ")).encode
    names = table.column_names
    for rows in _batches(table):
        file.write("".join(encode(dict(zip(names, row, strict=True))) + "\n" for row in rows).encode("utf-8"))


def _write_csv(table: pa.Table, file: IO[bytes], separator: str) -> None:
    encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(
        text, delimiter=separator, lineterminator="\r\n"
    )  # both characters are quoted when a cell holds them
    writer.writerow([guard(name) for name in table.column_names])
    for rows in _batches(table):
        writer.writerows([_cell(value, encode) for value in row] for row in rows)
    text.detach()


def _cell(value: Any, encode: Any) -> Any:
    if isinstance(value, str):
        return guard(value)
    return encode(value) if isinstance(value, dict | list) else value


def _batches(table: pa.Table) -> Iterator[Iterable[tuple[Any, ...]]]:
    for batch in table.to_batches(BATCH_ROWS):
        yield zip(*(_plain(column) for column in batch.columns), strict=True)


def _plain(column: pa.Array) -> list[Any]:
    """Python values that JSON can hold."""
    if pa.types.is_floating(column.type):
        return list(pc.if_else(pc.is_finite(column), column, pa.scalar(None, column.type)).to_pylist())
    if pa.types.is_map(column.type):
        offsets = column.offsets.to_pylist()
        start, length = offsets[0], offsets[-1] - offsets[0]
        keys, items = column.keys.slice(start, length).to_pylist(), _plain(column.items.slice(start, length))
        pairs = list(zip(keys, items, strict=True))
        spans = zip(offsets[:-1], offsets[1:], column.is_valid().to_pylist(), strict=True)
        return [dict(pairs[a - start : b - start]) if ok else None for a, b, ok in spans]
    return list(column.to_pylist())

"""Rows out of a file as it lies on disk: Parquet, JSON Lines, JSON, CSV with or without a header."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from outgrow.core.errors import DataError

FORMATS = (".parquet", ".jsonl", ".json", ".csv")
Numbered = tuple[str, dict[str, Any]]
"""The place in the file ("line 3") and the cells."""


def read_rows(path: Path, headers: Sequence[str] | None = None, limit: int | None = None) -> list[Numbered]:
    """The first `limit` rows of a file.

    Args:
        path: its suffix is its format; `.json` holds one object, an array of objects, or one object a line.
        headers: the columns of a CSV file without a header.
        limit: None for all.

    Raises:
        DataError: the file cannot be read, is not UTF-8, or is not what its suffix says.
    """
    readers = {".parquet": _parquet, ".jsonl": _lines, ".json": _json}
    suffix = path.suffix.lower()
    try:
        rows = _csv(path, headers) if suffix == ".csv" else readers[suffix](path)
        return list(islice(rows, limit))
    except KeyError:
        raise DataError(f"{path}: the format cannot be told from '{suffix}'; use {', '.join(FORMATS)}") from None
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: not UTF-8 ({error.reason} at byte {error.start}); save it as UTF-8") from None
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise DataError(f"{path}: not a Parquet file that can be read ({error})") from None
    except csv.Error as error:
        raise DataError(f"{path}: malformed CSV ({error})") from None
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None


def _parquet(path: Path) -> Iterator[Numbered]:
    number = 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            for row in batch.to_pylist():
                number += 1
                yield f"row {number}", row


def _lines(path: Path) -> Iterator[Numbered]:
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield f"line {number}", _object(json.loads(line), f"{path}, line {number}")
                except ValueError as error:
                    raise DataError(f"{path}, line {number}: malformed JSON ({error})") from None


def _json(path: Path) -> Iterator[Numbered]:
    text = path.read_text(encoding="utf-8-sig")
    try:
        content = json.loads(text)
    except ValueError:
        yield from _lines(path)
        return
    for number, row in enumerate(content if isinstance(content, list) else [content], 1):
        yield f"row {number}", _object(row, f"{path}, row {number}")


def _object(row: Any, where: str) -> dict[str, Any]:
    if not isinstance(row, dict):
        raise DataError(f"{where}: expected a JSON object, found {str(row)[:60]!r}")
    return row


def _csv(path: Path, headers: Sequence[str] | None) -> Iterator[Numbered]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, strict=True)
        names = list(headers) if headers is not None else next(reader, [])
        start = reader.line_num + 1
        for cells in reader:
            if cells:
                if len(cells) != len(names):
                    raise DataError(f"{path}, line {start}: {len(cells)} cells, the columns are {names}")
                yield f"line {start}", dict(zip(names, cells, strict=True))
            start = reader.line_num + 1

"""The first sheet of an Excel workbook as columns of text, read by openpyxl (extra `excel`)."""

from __future__ import annotations

import datetime
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa

from outgrow.core.errors import DataError, PrerequisiteError


def excel_header(path: Path) -> list[str]:
    """The names in the first row that is not empty.

    Raises:
        DataError: it is no workbook, is empty, or a name stands there twice.
        PrerequisiteError: openpyxl is not installed.
    """
    return _header(path, next(_rows(path), (0, []))[1])


def excel_text(path: Path, names: Iterable[str]) -> tuple[list[str], pa.Table, list[int]]:
    """The header, those of the columns `names` that the sheet has (null where a cell is empty), and each row's number.

    Raises:
        As `excel_header`.
    """
    rows = _rows(path)
    header = _header(path, next(rows, (0, []))[1])
    numbers, cells = [], []
    for number, row in rows:
        numbers.append(number)
        cells.append([*row, *[None] * len(header)][: len(header)])
    wanted = set(names)
    columns = [i for i, name in enumerate(header) if name in wanted]
    arrays = [pa.chunked_array([pa.array([_text(row[i]) for row in cells], pa.string())]) for i in columns]
    return header, pa.table(arrays, names=[header[i] for i in columns]), numbers


def _rows(path: Path) -> Iterator[tuple[int, list[Any]]]:
    """Number and cells of each row that is not empty."""
    try:
        import openpyxl
    except ImportError:
        raise PrerequisiteError(
            f"{path}: Excel files need openpyxl; install outgrow[excel], or save the sheet as CSV"
        ) from None
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
    except (zipfile.BadZipFile, openpyxl.utils.exceptions.InvalidFileException, KeyError, ValueError) as error:
        raise DataError(f"{path}: not an Excel workbook that can be read ({error})") from None
    try:
        for number, row in enumerate(book.worksheets[0].iter_rows(values_only=True), start=1):
            if any(cell is not None for cell in row):
                yield number, list(row)
    finally:
        book.close()


def _header(path: Path, cells: list[Any]) -> list[str]:
    names = [(_text(cell) or "").strip() for cell in cells]
    while names and not names[-1]:
        names.pop()
    if not names:
        raise DataError(f"{path}: the first sheet is empty; it needs a header row")
    if twice := sorted({name for name in names if names.count(name) > 1}):
        raise DataError(f"{path}: the header names {twice} more than once")
    return names


def _text(cell: Any) -> str | None:
    """A cell as it would stand in a CSV file: whole numbers without a point, dates as ISO 8601."""
    if cell is None or cell == "":
        return None
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    if isinstance(cell, datetime.date | datetime.time):
        return cell.isoformat()
    return str(cell)

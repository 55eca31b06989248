"""JSON Lines and CSV as streams of raw rows, each with the line it starts on."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outgrow.core.errors import DataError

CHUNK_ROWS = 50_000
FORMULA = "=+-@\t\r\n＝＋－＠"
NUMBER = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
MISSING: Any = object()  # a JSON object without the key


@dataclass(frozen=True)
class Chunk:
    """Some rows by column. A cell is what JSON holds, or the text of a CSV cell (None: empty)."""

    lines: Sequence[int]  # 1-based line each row starts on
    columns: dict[str, list[Any]]


def json_chunks(path: Path, names: Sequence[str]) -> Iterator[Chunk]:
    """The columns `names` of a JSON Lines file; blank lines are skipped.

    The last chunk, without rows, lists every other key as a column.

    Raises:
        DataError: a line is not UTF-8, is not JSON, or holds something else than an object.
    """
    wanted = set(names)
    others: dict[str, list[Any]] = {}
    lines: list[int] = []
    rows: list[dict[str, Any]] = []
    for number, line in _decoded(path):
        if line.isspace():
            continue
        try:
            row = json.loads(line)
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {number}: malformed JSON ({error.msg} at column {error.colno})") from None
        except (ValueError, RecursionError) as error:
            raise DataError(f"{path}, line {number}: malformed JSON ({error})") from None
        if not isinstance(row, dict):
            hint = "; write one object per line, not one array" if isinstance(row, list) else ""
            raise DataError(f"{path}, line {number}: expected a JSON object, found {_clip(line.strip())}{hint}")
        if not row.keys() <= wanted:
            others.update((key, []) for key in row if key not in wanted)
        lines.append(number)
        rows.append(row)
        if len(rows) == CHUNK_ROWS:
            yield Chunk(lines, {name: [row.get(name, MISSING) for row in rows] for name in names})
            lines, rows = [], []
    yield Chunk(lines, {name: [row.get(name, MISSING) for row in rows] for name in names})
    yield Chunk([], others)


def first_keys(path: Path) -> list[str]:
    """The keys of a JSON Lines file's first object; [] where the first line is none."""
    for _, line in _decoded(path):
        if not line.isspace():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                return []
            return list(row) if isinstance(row, dict) else []
    return []


def csv_chunks(path: Path) -> Iterator[Chunk]:
    """All columns of a CSV file with a header (comma, double quotes, quoted line breaks allowed).

    Raises:
        DataError: a line is not UTF-8, the header is missing or repeats a name, or a row has another number of cells.
    """
    limit = csv.field_size_limit(2**31 - 1)
    try:
        reader = csv.reader((line for _, line in _decoded(path)), strict=True)
        header: list[str] | None = None
        lines: list[int] = []
        rows: list[list[str]] = []
        while True:
            start = reader.line_num + 1
            try:
                cells = next(reader, None)
            except csv.Error as error:
                raise DataError(f"{path}, line {start}: malformed CSV ({error})") from None
            if cells is None:
                break
            if not cells:
                continue
            if header is None:
                header = [unguard(cell).strip() for cell in cells]
                twice = sorted({name for name in header if header.count(name) > 1})
                if twice:
                    raise DataError(f"{path}, line {start}: the header names {twice} more than once")
                continue
            if len(cells) != len(header):
                raise DataError(
                    f"{path}, line {start}: {len(cells)} cells where the header has {len(header)}; "
                    "cells that hold commas, quotes or line breaks need double quotes around them"
                )
            lines.append(start)
            rows.append(cells)
            if len(rows) == CHUNK_ROWS:
                yield _csv_chunk(header, lines, rows)
                lines, rows = [], []
        if header is None:
            raise DataError(f"{path}: the file is empty; a CSV file needs a header line")
        yield _csv_chunk(header, lines, rows)
    finally:
        csv.field_size_limit(limit)


def _csv_chunk(header: list[str], lines: list[int], rows: list[list[str]]) -> Chunk:
    columns = zip(*rows, strict=True) if rows else ([] for _ in header)
    return Chunk(
        lines,
        {
            name: [unguard(cell) if cell[:1] == "'" else cell or None for cell in column]
            for name, column in zip(header, columns, strict=True)
        },
    )


def _decoded(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        for number, raw in enumerate(file, start=1):
            try:
                line = raw.decode("utf-8")
            except UnicodeDecodeError as error:
                hint = " (it looks like UTF-16)" if number == 1 and raw[:2] in (b"\xff\xfe", b"\xfe\xff") else ""
                raise DataError(
                    f"{path}, line {number}: byte 0x{raw[error.start]:02x} at position {error.start + 1} is not UTF-8"
                    f"{hint}; save the file as UTF-8"
                ) from None
            yield number, line.removeprefix("\ufeff") if number == 1 else line


def guard(text: str) -> str:
    """A CSV cell that no spreadsheet takes for a formula.

    Text that begins with = + - @ (also their full-width forms), tab or a line break gets an apostrophe in front, plain
    numbers do not. `unguard` undoes it exactly; for that, text that already looks guarded gets one more.
    """
    return "'" + text if _is_formula(text.lstrip("'")) and not NUMBER.fullmatch(text) else text


def unguard(cell: str) -> str:
    """The text of a CSV cell, without the apostrophe that kept it from being a formula."""
    return cell[1:] if cell.startswith("'") and _is_formula(cell.lstrip("'")) else cell


def _is_formula(text: str) -> bool:
    return text != "" and text[0] in FORMULA


def _clip(text: str, length: int = 40) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"

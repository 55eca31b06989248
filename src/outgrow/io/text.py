"""JSON Lines as a stream of raw rows, each with the line it stands on."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outgrow.core.errors import DataError

CHUNK_ROWS = 50_000
MISSING: Any = object()  # a JSON object without the key


@dataclass(frozen=True)
class Chunk:
    """Some rows by column. A cell is what JSON holds."""

    lines: Sequence[int]  # of each row, from 1
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
    for number, line in _lines(path):
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
            raise DataError(f"{path}, line {number}: expected a JSON object, found {clip(line.strip())}{hint}")
        if not row.keys() <= wanted:
            others.update((key, []) for key in row if key not in wanted)
        lines.append(number)
        rows.append(row)
        if len(rows) == CHUNK_ROWS:
            yield Chunk(lines, {name: [row.get(name, MISSING) for row in rows] for name in names})
            lines, rows = [], []
    yield Chunk(lines, {name: [row.get(name, MISSING) for row in rows] for name in names})
    yield Chunk([], others)


def first_row(path: Path) -> dict[str, Any]:
    """A JSON Lines file's first object; {} where the first line is none."""
    for _, line in _lines(path):
        if not line.isspace():
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                return {}
            return row if isinstance(row, dict) else {}
    return {}


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    with path.open("rb") as file:
        yield from decoded(path, file)


def decoded(path: Path, file: Iterable[bytes]) -> Iterator[tuple[int, str]]:
    """The lines of an open file as text, numbered from 1, without a byte order mark.

    Raises:
        DataError: a line is not UTF-8.
    """
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


def clip(text: str, length: int = 40) -> str:
    """The text, cut at its end where it has more characters."""
    return text if len(text) <= length else text[: length - 1] + "…"

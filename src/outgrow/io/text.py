"""JSON Lines, or one JSON array, as a stream of raw rows, each with where it stands."""

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

    lines: Sequence[int]  # of each row, from 1; in an array its number
    columns: dict[str, list[Any]]


def json_chunks(path: Path, names: Sequence[str]) -> Iterator[Chunk]:
    """The columns `names` of a JSON Lines file (blank lines are skipped) or of an array of objects.

    The last chunk, without rows, lists every other key as a column.

    Raises:
        DataError: a line is not UTF-8, is not JSON, or holds something else than an object.
    """
    wanted = set(names)
    others: dict[str, list[Any]] = {}
    lines: list[int] = []
    rows: list[dict[str, Any]] = []
    for number, row in json_objects(path):
        if not row.keys() <= wanted:
            others.update((key, []) for key in row if key not in wanted)
        lines.append(number)
        rows.append(row)
        if len(rows) == CHUNK_ROWS:
            yield Chunk(lines, {name: [row.get(name, MISSING) for row in rows] for name in names})
            lines, rows = [], []
    yield Chunk(lines, {name: [row.get(name, MISSING) for row in rows] for name in names})
    yield Chunk([], others)


def json_objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    """The objects of a JSON Lines file, each with its line, or of an array, each with its number.

    Raises:
        DataError: as `json_chunks`.
    """
    yield from _array(path) if is_array(path) else _objects(path)


def _objects(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
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
            raise DataError(f"{path}, line {number}: expected a JSON object, found {clip(line.strip())}")
        yield number, row


def _array(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    for number, row in enumerate(whole_json(path), start=1):
        if not isinstance(row, dict):
            raise DataError(f"{path}, item {number}: expected a JSON object, found {clip(json.dumps(row))}")
        yield number, row


def is_array(path: Path) -> bool:
    """Whether a JSON file is one array that begins on a line of its own, or the whole of its first line."""
    with path.open("rb") as file:
        start = file.read(1 << 16).removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith(b"[")


def whole_json(path: Path) -> Any:
    """What a JSON file holds, read at once.

    Raises:
        DataError: it is not UTF-8, or not JSON.
    """
    text = "".join(line for _, line in _lines(path))
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise DataError(f"{path}, line {error.lineno}: malformed JSON ({error.msg} at column {error.colno})") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}, line 1: malformed JSON ({error})") from None


def first_row(path: Path) -> dict[str, Any]:
    """The first object of a JSON Lines file or an array; {} where there is none."""
    if is_array(path):
        text = "".join(line for _, line in _lines(path)).lstrip()
        try:
            row, _ = json.JSONDecoder().raw_decode(text, len(text) - len(text[1:].lstrip()))
        except (ValueError, RecursionError):
            return {}
        return row if isinstance(row, dict) else {}
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

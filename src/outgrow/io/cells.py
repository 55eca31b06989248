"""Cells of JSON, CSV and Parquet turned into the types of a schema."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.encoding import encode
from outgrow.io.text import clip

NONE = type(None)
AS_IS: dict[pa.DataType, set[type]] = {
    pa.string(): {str, NONE},
    pa.int64(): {int, NONE},
    pa.float64(): {int, float, NONE},
}
PLAIN = {  # numbers that Arrow and Python read alike
    pa.int64(): r"^-?[0-9]+$",
    pa.float64(): r"^-?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]+)?$",
}

TEXT_OR_JSON = pa.large_string()
"""In a schema: text, and of a list or an object its JSON."""


class CellError(Exception):
    """A cell that does not fit its column: its position and what is wrong with it."""

    def __init__(self, row: int, problem: str) -> None:
        super().__init__(problem)
        self.row = row
        self.problem = problem


def from_cells(cells: Sequence[Any], kind: pa.DataType, *, text: bool) -> pa.Array:
    """Python values (of JSON; of CSV cells if `text`) as an Arrow array of `kind`.

    Raises:
        CellError: a value does not fit.
    """
    if AS_IS.get(kind, set()).issuperset({type(cell) for cell in cells}):
        try:
            return pa.array(cells, kind)
        except (pa.ArrowInvalid, OverflowError, UnicodeEncodeError):
            pass  # found and named below
    convert = _converter(kind, text)
    found = []
    for row, cell in enumerate(cells):
        try:
            found.append(None if cell is None else convert(cell))
        except (ValueError, TypeError, OverflowError) as error:
            raise CellError(row, f"{clip(repr(cell), 60)} is not {_named(kind)} ({error})") from None
    return pa.array(found, kind)


def from_text(given: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """A column of CSV cells as `kind`; maps, lists and structs are JSON there.

    Raises:
        CellError: a cell does not fit.
    """
    if pa.types.is_string(kind) or kind == TEXT_OR_JSON:
        return given.cast(kind)
    if kind in PLAIN and pc.all(pc.match_substring_regex(given, PLAIN[kind])).as_py() is not False:
        try:
            return given.cast(kind)
        except pa.ArrowInvalid:
            pass  # out of range
    distinct = encode(given)
    try:
        values = from_cells(distinct.names.to_pylist(), kind, text=True)
    except CellError as error:
        raise CellError(int(np.argmax(distinct.codes == error.row)), error.problem) from None
    return pa.chunked_array([values.take(pa.array(distinct.codes, mask=distinct.codes < 0))])


def _converter(kind: pa.DataType, text: bool) -> Callable[[Any], Any]:
    if pa.types.is_string(kind):
        return _text
    if kind == TEXT_OR_JSON:
        return lambda cell: json.dumps(cell, ensure_ascii=False) if isinstance(cell, list | dict) else _text(cell)
    if pa.types.is_integer(kind):
        return (lambda cell: _integer(_number(cell))) if text else _integer
    if pa.types.is_floating(kind):
        return float if text else _real
    nested = _nested(kind)
    return (lambda cell: nested(json.loads(cell))) if text else nested


def _nested(kind: pa.DataType) -> Callable[[Any], Any]:
    if pa.types.is_map(kind):
        item = _converter(kind.item_type, False)
        return lambda cell: [(_text(k), None if v is None else item(v)) for k, v in _of(cell, dict).items()]
    if pa.types.is_list(kind):
        item = _converter(kind.value_type, False)
        return lambda cell: [None if v is None else item(v) for v in _of(cell, list)]
    if pa.types.is_struct(kind):
        fields = {f.name: _converter(f.type, False) for f in kind}
        return lambda cell: {k: None if v is None else fields[k](v) for k, v in _of(cell, dict).items() if k in fields}
    raise TypeError(f"no reader for {kind}")


def _text(cell: Any) -> str:
    if isinstance(cell, str):
        cell.encode("utf-8")
        return cell
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, int):
        return str(cell)
    if isinstance(cell, float) and np.isfinite(cell):
        return str(int(cell)) if cell.is_integer() else repr(cell)
    raise TypeError("write it as text")


def _integer(cell: Any) -> int:
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise TypeError("write a whole number")
    if int(cell) != cell or not -(2**63) <= cell < 2**63:
        raise ValueError("write a whole number that fits 64 bits")
    return int(cell)


def _real(cell: Any) -> float:
    if isinstance(cell, bool) or not isinstance(cell, int | float):
        raise TypeError("write a number")
    return float(cell)


def _number(cell: str) -> int | float:
    try:
        return int(cell)
    except ValueError:
        return float(cell)


def _of(cell: Any, kind: type) -> Any:
    if not isinstance(cell, kind):
        raise TypeError(f"expected a JSON {'object' if kind is dict else 'array'}")
    return cell


def from_arrow(given: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    """A Parquet column as `kind`: numbers and booleans become text where text is wanted, structs become maps.

    Raises:
        CellError: the column cannot be converted; the row is that of the first text that is not UTF-8, else -1.
    """
    if pa.types.is_dictionary(given.type):
        given = given.cast(given.type.value_type)
    if given.null_count == len(given):
        return pa.chunked_array([pa.nulls(len(given), kind)])
    if kind == TEXT_OR_JSON:
        if pa.types.is_nested(given.type):
            return pa.chunked_array([from_cells(given.to_pylist(), kind, text=False)])
        return from_arrow(given, pa.string()).cast(kind)
    if pa.types.is_string(kind) and pa.types.is_floating(given.type):
        return _numbers_as_text(given)
    if pa.types.is_map(kind) and pa.types.is_struct(given.type):
        given = pa.chunked_array([_struct_as_map(chunk, kind) for chunk in given.chunks])
    allowed = given.type == kind or (
        pa.types.is_large_string(given.type) or pa.types.is_integer(given.type) or pa.types.is_boolean(given.type)
        if pa.types.is_string(kind)
        else pa.types.is_primitive(given.type) and not pa.types.is_boolean(given.type)
        if pa.types.is_primitive(kind)
        else pa.types.is_nested(given.type)
    )
    try:
        if not allowed:
            raise pa.ArrowTypeError(f"no conversion from {given.type}")
        found = given if given.type == kind else given.cast(kind)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        raise CellError(-1, f"the column holds {given.type}, not {_named(kind)} ({error})") from None
    _check_text(found)
    return found


def _check_text(column: pa.ChunkedArray) -> None:
    done = 0
    for chunk in column.chunks:
        try:
            chunk.validate(full=True)
        except pa.ArrowInvalid:
            raw = chunk.cast(pa.binary()) if pa.types.is_string(chunk.type) else []
            for row, cell in enumerate(raw):
                try:
                    (cell.as_py() or b"").decode("utf-8")
                except UnicodeDecodeError as error:
                    raise CellError(done + row, f"{cell.as_py()!r} is not UTF-8 ({error.reason})") from None
            raise CellError(-1, "the column holds text that is not UTF-8") from None
        done += len(chunk)


def _numbers_as_text(given: pa.ChunkedArray) -> pa.ChunkedArray:
    finite = pc.is_finite(given)
    values, code = np.unique(given.fill_null(0).to_numpy(), return_inverse=True)
    names = pa.array([_text(float(v)) if np.isfinite(v) else "" for v in values], pa.string())
    mask = ~np.asarray(finite.fill_null(False).to_numpy(), dtype=bool)
    return pa.chunked_array([names.take(pa.array(code, mask=mask))])


def _struct_as_map(given: pa.Array, kind: pa.DataType) -> pa.Array:
    names = [f.name for f in given.type]
    cells = [[(n, v) for n, v in row.items() if v is not None] if row else row for row in given.to_pylist()]
    return pa.array(cells, pa.map_(pa.string(), given.type.field(0).type if names else kind.item_type))


def _named(kind: pa.DataType) -> str:
    if pa.types.is_string(kind) or kind == TEXT_OR_JSON:
        return "text"
    if pa.types.is_integer(kind):
        return "a whole number"
    if pa.types.is_floating(kind):
        return "a number"
    if pa.types.is_list(kind):
        return "a list"
    return "an object of names and values"

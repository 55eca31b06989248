"""A finished run's folder, read and checked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa
from pydantic import ValidationError

from outgrow.core.config_errors import ordinal, place
from outgrow.core.errors import DataError
from outgrow.reporting.schema import Provenance, Results, View

FORMATS = (1, 2)
_Model = TypeVar("_Model", bound=View)


@dataclass(frozen=True)
class RunFolder:
    """What a report is made of. `provenance` and `answers` are None when the folder lacks their files.

    Attributes:
        cells: the results of every cell.
        provenance: how the run was made.
        answers: what everybody said to the test questions, of the only cell.
    """

    cells: tuple[Results, ...]
    provenance: Provenance | None
    answers: pa.Table | None

    @property
    def results(self) -> Results:
        """Of the only cell, or of the first."""
        return self.cells[0]

    def of_cell(self, results: Results, folder: Path) -> RunFolder:
        """The same run seen from one of its cells, whose own files lie in `folder`."""
        return RunFolder((results,), self.provenance, _read_answers(folder / "answers.parquet"))


def read_folder(folder: Path) -> RunFolder:
    """Read the folder that `outgrow run` wrote.

    Args:
        folder: holds results.json, and usually provenance.json and answers.parquet.

    Raises:
        DataError: results.json is missing, is not JSON, or lacks something that the report needs.
    """
    folder = Path(folder)
    raw = _read_json(folder / "results.json")
    if raw is None:
        raise DataError(f"{folder}: no results.json here; give the folder that 'outgrow run' wrote")
    provenance = _read_json(folder / "provenance.json")
    return RunFolder(
        as_cells(raw, str(folder / "results.json")),
        None if provenance is None else as_provenance(provenance, str(folder / "provenance.json")),
        _read_answers(folder / "answers.parquet"),
    )


def as_results(raw: Mapping[str, Any], where: str = "results") -> Results:
    """The typed form of results.json; of several cells the first.

    Raises:
        DataError: a value is missing or of the wrong type, or the file has a format that this version does not read.
    """
    return as_cells(raw, where)[0]


def as_cells(raw: Mapping[str, Any], where: str = "results") -> tuple[Results, ...]:
    """The typed form of every cell in results.json, each with what it shares with the others.

    Format 1 has one cell, whose keys stand beside those of the run.

    Raises:
        DataError: as `as_results`.
    """
    if raw.get("format") not in FORMATS:
        raise DataError(f"{where}: format {raw.get('format')!r}, but this version reads formats 1 and 2")
    if raw["format"] == 1:
        return (_validate(Results, raw, where),)
    cells = raw.get("cells")
    if not isinstance(cells, list) or not cells or not all(isinstance(cell, dict) for cell in cells):
        raise DataError(f"{where}: 'cells' holds {str(cells)[:80]!r}; expected a list with an object for each cell")
    shared = {name: value for name, value in raw.items() if name != "cells"}
    return tuple(
        _validate(Results, {**cell, **shared, "cell": cell.get("name", "")}, f"{where}, {ordinal(i)} cell")
        for i, cell in enumerate(cells, start=1)
    )


def as_provenance(raw: Mapping[str, Any], where: str = "provenance") -> Provenance:
    """The typed form of provenance.json.

    Raises:
        DataError: a value is of the wrong type.
    """
    return _validate(Provenance, raw, where)


def _validate(model: type[_Model], raw: Mapping[str, Any], where: str) -> _Model:
    try:
        return model.model_validate(raw)
    except ValidationError as error:
        lines = [
            f"  {place(each['loc'], raw)}: {each['msg']}; found {str(each['input'])[:80]!r}" for each in error.errors()
        ]
        raise DataError("\n".join([f"{where} cannot be reported:", *lines])) from error


def _read_json(path: Path) -> Mapping[str, Any] | None:
    if not path.exists():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path} is not valid JSON: {error}") from error
    if not isinstance(content, dict):
        raise DataError(f"{path} holds a {type(content).__name__}; expected an object")
    return content


def _read_answers(path: Path) -> pa.Table | None:
    if not path.exists():
        return None
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path} cannot be read as Parquet: {error}") from error
    missing = [name for name in ("example_id", "question", "gold", "seed") if name not in table.column_names]
    if missing:
        raise DataError(f"{path}: missing columns {missing}; found {table.column_names}")
    return table

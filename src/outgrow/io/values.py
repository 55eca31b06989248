"""One value per question, predicted or true, as files and tables have it: what scoring takes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import DataError
from outgrow.io.cells import TEXT_OR_JSON
from outgrow.io.columns import ANSWER_COLUMNS, GOLD_COLUMNS, recognise
from outgrow.io.reading import Loaded, column_names, load, load_arrow, refuse_twice

VALUES = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("value", TEXT_OR_JSON),
        pa.field("group_id", pa.string()),
        pa.field("variant", pa.int64()),
        pa.field("sample", pa.int64()),
    ]
)
SLOTS = ("slots", "entities")
SYNONYMS = {
    name: {**synonyms, "value": (*synonyms["value"], *SLOTS)}
    for name, synonyms in (("predictions", ANSWER_COLUMNS), ("gold", GOLD_COLUMNS))
}
Given = Path | str | Any
"""A file (see `read_table`), or an Arrow table or a data frame of a library that speaks Arrow."""


def columns_in(given: Given) -> list[str]:
    """The columns of a file or a table."""
    return column_names(given) if isinstance(given, str | Path) else list(pa.table(given).column_names)


def load_values(given: Given, name: str, columns: Mapping[str, str]) -> Loaded:
    """`example_id`, `value`, and `group_id` where there is one; a list or an object becomes its JSON.

    Of answers in several wordings or samples the first to the identity wording is taken (`variant` and `sample` 0).

    Args:
        given: the file or table.
        name: "predictions" or "gold", which decides what columns may be called otherwise.
        columns: ours to theirs, as the user says; those that are not there are left alone.

    Raises:
        DataError: as `read_table`, or a question stands there twice.
    """
    here = {ours: theirs for ours, theirs in columns.items() if theirs in columns_in(given)}
    if isinstance(given, str | Path):
        loaded = load(given, VALUES, required=("value",), name=name, synonyms=SYNONYMS[name], columns=here)
    else:
        table = pa.table(given)
        ours = {
            theirs: our for our, theirs in recognise(table.column_names, VALUES.names, SYNONYMS[name], here).items()
        }
        renamed = table.rename_columns([ours.get(theirs, theirs) for theirs in table.column_names])
        loaded = load_arrow(renamed, VALUES, required=("value",), name=name)
    return _first_answers(loaded)


def _first_answers(loaded: Loaded) -> Loaded:
    table = loaded.table
    first = pc.and_(*(pc.equal(table[key].fill_null(0), 0) for key in ("variant", "sample")))
    rows = pc.indices_nonzero(first)
    if not len(rows):
        raise DataError(f"{loaded.path}: no row has variant 0 and sample 0, the answer to the identity wording")

    def line_of(row: int) -> int:
        place = rows[row].as_py()
        return place + 1 if loaded.line_of is None else loaded.line_of(place)

    kept = Loaded(loaded.path, table.take(rows), line_of, "row" if loaded.line_of is None else loaded.unit)
    refuse_twice(kept, kept.table["example_id"].to_pylist(), "keep one row per question")
    return kept

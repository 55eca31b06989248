"""A labels table as `outgrow reliability` writes it, read back."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from outgrow.core.tables import LABELS
from outgrow.io.reading import column_names, load, refuse_twice

MEASURES = ("votes", "entropy", "reliability", "n_valid")
GIVEN = pa.schema([pa.field(f.name, f.type, nullable=f.name != "example_id") for f in LABELS])


def read_labels(path: Path | str) -> pa.Table | None:
    """Labels from JSON Lines, CSV or Parquet; columns the file does not have are null.

    Returns:
        The table, in file order; None where the file has none of the columns that make labels (votes, entropy,
        reliability, n_valid): then it holds answers.

    Raises:
        DataError: as `read_table`, or a question and source stand there twice.
    """
    if not set(MEASURES) & set(column_names(path)):
        return None
    loaded = load(path, GIVEN, required=("example_id", "value"), name="labels")
    table = loaded.table
    if all(table.column(name).null_count == table.num_rows for name in MEASURES):
        return None
    keys = zip(table.column("example_id").to_pylist(), table.column("source").to_pylist(), strict=True)
    refuse_twice(loaded, keys, "a labels table has one row per question (and source)")
    return table

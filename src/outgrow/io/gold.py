"""A file of gold values that were bought or checked by hand."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from outgrow.io.reading import read_table

KNOWN = pa.schema([pa.field("example_id", pa.string(), nullable=False), pa.field("value", pa.string(), nullable=False)])


def read_gold(path: Path | str) -> pa.Table:
    """`example_id` and `value` from JSON Lines, CSV or Parquet.

    Raises:
        DataError: as `read_table`.
    """
    return read_table(path, KNOWN, required=("example_id", "value"), name="gold")

"""Curated rows and pairs to a file in a trainer's format."""

from __future__ import annotations

import os
from pathlib import Path

import pyarrow as pa

from outgrow.core.errors import ConfigError, DataError
from outgrow.core.files import whole_file
from outgrow.core.tables import of_pairs
from outgrow.io import write_table
from outgrow.io.export.dataset_info import ENTRIES, NAME, as_bytes, read_info, with_entry
from outgrow.io.export.formats import find_format, to_format


def check_out(path: Path | str, name: str, *, pairs: bool = False) -> None:
    """Refuse, before any work, a file the format's reader could not read or a `dataset_info.json` in the way.

    Args:
        path: the file.
        name: of the format.
        pairs: whether pairs are to be written, and not rows.

    Raises:
        ConfigError: unknown format, or one of the other kind, a suffix it does not have, or the file's name is taken in
            `dataset_info.json`.
        DataError: that file cannot be added to.
    """
    path, form = Path(path), find_format(name, pairs=pairs)
    suffix = path.suffix.lower()
    if suffix not in form.suffixes:
        seen = f"the suffix '{suffix}'" if suffix else "no suffix"
        if form.row is None:
            raise DataError(f"{path}: the format cannot be told from {seen}; use {', '.join(form.suffixes)}")
        raise ConfigError(f"{path}: {form.reader} does not read {seen} from us; use {', '.join(form.suffixes)}")
    if name in ENTRIES:
        if path.name == NAME:
            raise ConfigError(f"{path}: this name is that of the list of data sets; choose another for the rows")
        with_entry(read_info(path.parent), path, name)


def write_rows(
    rows: pa.Table, path: Path | str, *, format: str | None = None, keep_weights: bool = False
) -> tuple[Path, ...]:
    """Write curated rows or pairs as a trainer reads them; for LLaMA-Factory also their entry in `dataset_info.json`.

    Each file appears complete or not at all; other entries of `dataset_info.json` stay.

    Args:
        rows: see `to_format`.
        path: .jsonl, .json (both: one JSON object a line) or .parquet; for our own columns also .csv; for "openai"
            .jsonl only.
        format: one of `FORMATS`; our own columns, "rows" or "pairs", by default.
        keep_weights: see `to_format`.

    Returns:
        The files written.

    Raises:
        ConfigError, DataError: see `check_out` and `to_format`.
        OutgrowError: the disk is full.
    """
    path, of_two = Path(path), of_pairs(rows)
    format = format or ("pairs" if of_two else "rows")
    check_out(path, format, pairs=of_two)
    found = to_format(rows, format, keep_weights=keep_weights)
    if format not in ENTRIES:
        return (write_table(found, path),)
    listed = path.with_name(NAME)
    with whole_file(listed) as file:  # its bytes are on disk before the rows are, its name appears after them
        file.write(as_bytes(with_entry(read_info(path.parent), path, format)))
        file.flush()
        os.fsync(file.fileno())
        write_table(found, path)
    return path, listed

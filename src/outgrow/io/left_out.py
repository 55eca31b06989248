"""Annotators whose answers are left out."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import DataError
from outgrow.io.columns import SOURCES
from outgrow.io.reading import load

LISTED = pa.schema([pa.field("annotator", pa.string(), nullable=False), pa.field("flags", pa.list_(pa.string()))])
NO_VERDICT = ["too few answers"]
"""Flags for which nobody is left out."""


def leave_out(answers: pa.Table, path: Path | str) -> pa.Table:
    """The answers without those of some annotators, whose names the metadata `left_out` lists as a JSON array.

    Args:
        answers: answers table.
        path: a table with a column `annotator` (or worker, source, ...). With a column `flags`, as `outgrow annotators`
            writes it, those are left out who have a flag other than "too few answers"; else all that are listed.

    Raises:
        DataError: as `read_table`; nobody in the table is among the annotators; or nobody would be left.
    """
    listed = load(
        path, LISTED, required=("annotator",), name="annotators", synonyms={"annotator": ("source", *SOURCES)}
    )
    names, flags = listed.table["annotator"].to_pylist(), listed.table["flags"].to_pylist()
    if listed.table["flags"].null_count < listed.table.num_rows:
        bad = [name for name, each in zip(names, flags, strict=True) if set(each or ()) - set(NO_VERDICT)]
    else:
        bad = names
    present = set(answers["source"].unique().to_pylist())
    if not present & set(names):
        raise DataError(
            f"{path}: nobody in it is among the annotators; it names {names[0]!r}, the answers {min(present)!r}"
        )
    use = pc.invert(pc.is_in(answers["source"], value_set=pa.array(bad, pa.string())))
    kept = answers.filter(use)
    if not kept.num_rows:
        raise DataError(f"{path}: it leaves out all {len(present)} annotators; nothing would be left")
    metadata = {**(answers.schema.metadata or {}), b"left_out": json.dumps(sorted(present & set(bad))).encode()}
    return kept.replace_schema_metadata(metadata)

"""The tables that pass between rooms, and the protocol of the lab that methods are written against.

Tables are `pyarrow.Table`s joined by id, never by row order. Each schema below is the exact form in
memory and in Parquet; JSON Lines and CSV with the same column names are read and written at the edges
(`outgrow.io`).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from outgrow.core.errors import DataError
from outgrow.core.hashing import sha256_text

WORDING = pa.struct([("kind", pa.string()), ("template", pa.string()), ("permutation", pa.list_(pa.int64()))])
PROBABILITIES = pa.map_(pa.string(), pa.float64())

EXAMPLES = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("group_id", pa.string(), nullable=False),
        pa.field("question", pa.string(), nullable=False),
        pa.field("choices", pa.list_(pa.string())),
        pa.field("meta", pa.string()),  # JSON object; sealed unless the task lists a key as public
    ]
)
GOLD = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("objective", pa.string(), nullable=False),
        pa.field("value", pa.string(), nullable=False),
    ]
)
ANSWERS = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("variant", pa.int64(), nullable=False),
        pa.field("sample", pa.int64(), nullable=False),
        pa.field("wording", WORDING),
        pa.field("prompt", pa.string()),
        pa.field("text", pa.string()),
        pa.field("value", pa.string()),  # canonical; null when the text could not be parsed
        pa.field("logprob", pa.float64()),
        pa.field("n_tokens", pa.int64()),
        pa.field("probabilities", PROBABILITIES),
        pa.field("finish_reason", pa.string()),
    ]
)
TOKENS = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("variant", pa.int64(), nullable=False),
        pa.field("sample", pa.int64(), nullable=False),
        pa.field("starts", pa.list_(pa.int64()), nullable=False),  # where each token begins in the answer's text
        pa.field("ends", pa.list_(pa.int64()), nullable=False),  # in characters; the end of the text is a token too
        pa.field("logprobs", pa.list_(pa.float64()), nullable=False),  # nats
    ]
)
"""The tokens of answers that a model wrote, by the answers' keys."""
LABELS = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("source", pa.string()),  # null when aggregated over sources
        pa.field("value", pa.string()),  # consensus; null when every answer is invalid
        pa.field("votes", pa.map_(pa.string(), pa.int64())),
        pa.field("probabilities", PROBABILITIES),
        pa.field("entropy", pa.float64()),  # nats
        pa.field("reliability", pa.float64()),  # of the estimator named in the table's metadata
        pa.field("n_valid", pa.int64(), nullable=False),
        pa.field("n_invalid", pa.int64(), nullable=False),
        pa.field("softmax_reliability", pa.float64()),
        pa.field("vote_share", pa.float64()),
        pa.field("mean_logprob", pa.float64()),
        pa.field("margin", pa.float64()),
    ]
)
ROWS = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("source", pa.string()),
        pa.field("variant", pa.int64(), nullable=False),
        pa.field("prompt", pa.string()),  # null until the lab has put the row into words
        pa.field("target", pa.string()),  # what to say; exactly one of target and probabilities is set
        pa.field("probabilities", PROBABILITIES),
        pa.field("weight", pa.float64(), nullable=False),
    ]
)
WEAK_TOKENS = pa.field(
    "weak_tokens",
    pa.list_(pa.struct([("start", pa.int64()), ("end", pa.int64()), ("logprob", pa.float64())])),
)
"""A further column of `ROWS`: the tokens of a target that a weak model wrote, as in `TOKENS`."""
PAIRS = pa.schema(
    [
        pa.field("row_id", pa.string(), nullable=False),
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("variant", pa.int64(), nullable=False),
        pa.field("prompt", pa.string()),  # null until the lab has put the pair into words
        pa.field("chosen", pa.string(), nullable=False),
        pa.field("rejected", pa.string(), nullable=False),
        pa.field("weight", pa.float64(), nullable=False),
        pa.field("flip_probability", pa.float64(), nullable=False),  # that the two stand the wrong way round
        pa.field("p_better", pa.float64()),  # what the judge makes of it: probability that the chosen one is better
        pa.field("margin", pa.float64()),  # by how much the judge prefers the chosen one, in the judge's own units
        pa.field("chosen_source", pa.string()),  # who wrote them, and who judged them
        pa.field("rejected_source", pa.string()),
        pa.field("judge", pa.string()),
    ]
)

SPLITS = ("supervisor_train", "pool", "validation", "test", "known")


def make_example_id(task: str, question: str, choices: Sequence[str] | None) -> str:
    """An opaque id made of the task, the question and its choices; never of gold or meta."""
    return sha256_text(task, question, list(choices) if choices is not None else None)[:24]


def build(schema: pa.Schema, columns: Mapping[str, Any]) -> pa.Table:
    """A table of exactly `schema`; columns that are not given are null.

    Raises:
        DataError: a column is unknown, has the wrong type, or holds null where the schema forbids it.
    """
    unknown = set(columns) - set(schema.names)
    if unknown:
        raise DataError(f"unknown columns {sorted(unknown)}; expected some of {schema.names}")
    length = max((len(values) for values in columns.values()), default=0)
    arrays = []
    for column in schema:
        values = columns.get(column.name)
        if values is None:
            array: Any = pa.nulls(length, column.type)
        elif isinstance(values, pa.Array | pa.ChunkedArray):
            array = values if values.type == column.type else values.cast(column.type)
        else:
            try:
                array = pa.array(list(values), column.type)
            except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
                raise DataError(f"column '{column.name}': {error}") from error
        if not column.nullable and array.null_count:
            raise DataError(f"column '{column.name}' has {array.null_count} empty values; it needs one per row")
        arrays.append(array)
    return pa.table(arrays, schema=schema)


def check(table: pa.Table, schema: pa.Schema, name: str) -> pa.Table:
    """`table` in the columns and order of `schema`, missing nullable columns added as null."""
    missing = [f.name for f in schema if not f.nullable and f.name not in table.column_names]
    if missing:
        raise DataError(f"{name}: missing columns {missing}; found {table.column_names}")
    columns = {f.name: table.column(f.name) for f in schema if f.name in table.column_names}
    return build(schema, columns).replace_schema_metadata(table.schema.metadata)


def with_column(table: pa.Table, name: str, values: Any) -> pa.Table:
    """The table with other values in one of its columns; its schema and metadata stay."""
    place = table.schema.get_field_index(name)
    return table.set_column(place, table.schema.field(place), values)


@dataclass(frozen=True)
class Example:
    """One question as a task and a supervisor see it."""

    example_id: str
    group_id: str
    question: str
    choices: tuple[str, ...] | None = None
    meta: Mapping[str, Any] = field(default_factory=dict)


def of_pairs(table: pa.Table) -> bool:
    """Whether training data are pairs (`PAIRS`) and not rows (`ROWS`)."""
    return "chosen" in table.column_names


def iter_examples(table: pa.Table) -> Iterable[Example]:
    """The rows of an examples table, in table order."""
    for row in table.to_pylist():
        choices = None if row["choices"] is None else tuple(row["choices"])
        meta = json.loads(row["meta"]) if row["meta"] else {}
        yield Example(row["example_id"], row["group_id"], row["question"], choices, meta)

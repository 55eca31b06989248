"""Small files a user may add to answers: the questions in words, labels given before, gold that was bought."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import DataError
from outgrow.io.columns import GIVEN_COLUMNS, GOLD_COLUMNS, QUESTION_COLUMNS, Synonyms
from outgrow.io.reading import column_names, load, refuse_twice

QUESTIONS = pa.schema(
    [
        pa.field("example_id", pa.string(), nullable=False),
        pa.field("question", pa.string()),
        pa.field("choices", pa.list_(pa.string())),
        pa.field("label", pa.string()),  # given by somebody; may be wrong
    ]
)
GIVEN = pa.schema([QUESTIONS.field("example_id"), QUESTIONS.field("label")])
GOLD = pa.schema([QUESTIONS.field("example_id"), pa.field("value", pa.string(), nullable=False)])


def read_questions(path: Path | str, *, columns: Mapping[str, str] | None = None) -> pa.Table:
    """Questions: `example_id`, `question`, and if there are any `choices`, `label`.

    Columns are found in any case and by what other tools call them (`outgrow.io.columns`).

    Args:
        path: the file.
        columns: what another file, the answers' as a rule, calls ours: columns of these names are the same here.

    Raises:
        DataError: as `read_table`, or a question stands there twice.
    """
    return _read(path, QUESTIONS, QUESTION_COLUMNS, columns, required=("example_id", "question"), name="questions")


def read_given(path: Path | str, *, columns: Mapping[str, str] | None = None) -> pa.Table:
    """Given labels: `example_id` and `label`, found as in `read_questions`.

    Raises:
        DataError: as `read_table`, or a question stands there twice.
    """
    return _read(path, GIVEN, GIVEN_COLUMNS, columns, required=("example_id", "label"), name="given labels")


def read_gold(path: Path | str, *, columns: Mapping[str, str] | None = None) -> pa.Table:
    """Gold values, bought or checked by hand: `example_id` and `value`, found as in `read_questions`.

    Raises:
        DataError: as `read_table`.
    """
    same = _same_columns(path, GOLD, columns)
    return load(path, GOLD, required=("example_id", "value"), name="gold", synonyms=GOLD_COLUMNS, columns=same).table


DECISIONS = pa.schema([QUESTIONS.field("example_id"), pa.field("decision", pa.string(), nullable=False)])
KEEP, DROP = "keep", "drop"


def read_decisions(path: Path | str) -> pa.Table:
    """Decisions made by hand on the page of `outgrow explore`: `example_id` and `decision`, keep or drop.

    Raises:
        DataError: as `read_table`, a question stands there twice, or a decision is neither.
    """
    loaded = load(path, DECISIONS, required=("example_id", "decision"), name="decisions", synonyms=QUESTION_COLUMNS)
    refuse_twice(loaded, loaded.table.column("example_id").to_pylist(), "keep one row per question")
    strange = pc.index(pc.is_in(loaded.table["decision"], value_set=pa.array([KEEP, DROP])), False).as_py()
    if strange >= 0:
        value = loaded.table["decision"][strange].as_py()
        raise DataError(f"{loaded.where(strange)}, column 'decision': {value!r} is neither keep nor drop")
    return loaded.table


def prompts_of(questions: pa.Table) -> pa.Array:
    """The question, and where there are choices each on a line of its own and "Answer:", as task `table` asks."""
    texts, choices = questions.column("question").to_pylist(), questions.column("choices").to_pylist()
    return pa.array(
        [
            text if text is None or not options else "\n".join([text, *(f"- {each}" for each in options), "Answer:"])
            for text, options in zip(texts, choices, strict=True)
        ],
        pa.string(),
    )


def _read(
    path: Path | str,
    schema: pa.Schema,
    synonyms: Synonyms,
    columns: Mapping[str, str] | None,
    *,
    required: tuple[str, ...],
    name: str,
) -> pa.Table:
    same = _same_columns(path, schema, columns)
    loaded = load(path, schema, required=required, name=name, synonyms=synonyms, columns=same)
    refuse_twice(loaded, loaded.table.column("example_id").to_pylist(), "keep one row per question")
    if loaded.table.column(required[1]).null_count == loaded.table.num_rows:
        raise DataError(f"{loaded.path}: column '{required[1]}' is empty in every row")
    return loaded.table


def _same_columns(path: Path | str, schema: pa.Schema, columns: Mapping[str, str] | None) -> dict[str, str]:
    """Ours to theirs, as another file has them, of those that this file has too and calls nothing else of ours."""
    if not columns or not Path(path).is_file():
        return {}
    present = column_names(Path(path))
    ours = {("label" if name == "value" and name not in schema.names else name): name for name in columns}
    return {
        name: columns[other]
        for name, other in ours.items()
        if name in schema.names and name not in present and columns[other] in present
    }


def look_up(ids: pa.ChunkedArray, table: pa.Table, values: pa.Array | pa.ChunkedArray) -> pa.ChunkedArray:
    """For each id the value of its row in `table`, null where there is none."""
    return values.take(pc.index_in(ids, value_set=table.column("example_id")))

"""Training rows in words: what methods say in canonical values becomes prompts and targets."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import DataError
from outgrow.core.tables import PAIRS, ROWS, WEAK_TOKENS, Example, iter_examples, of_pairs
from outgrow.tasks.base import Task, Wording
from outgrow.training.rows import TrainRow


def with_options(task: Task, questions: pa.Table) -> pa.Array:
    """The ids of the questions that are answered by choosing an option."""
    chosen = [e.example_id for e in iter_examples(questions) if task.wording(e, 0).options is not None]
    return pa.array(chosen, pa.string())


def without_option_texts(answers: pa.Table, chosen: pa.Array) -> pa.Table:
    """Answers whose `text` is null where their question has options: there the option is learned, not how it was said.

    A text such as "The answer is B." holds for the wording it answers alone; `render_rows` says the value anew.

    Args:
        answers: answers (`records.ANSWERS`).
        chosen: ids of questions with options (`with_options`).
    """
    of_options = pc.is_in(answers["example_id"], chosen)
    texts = pc.if_else(of_options, pa.scalar(None, pa.string()), answers["text"])
    return answers.set_column(answers.column_names.index("text"), answers.schema.field("text"), texts)


def render_rows(task: Task, rows: pa.Table, questions: pa.Table, *, options: bool = False) -> list[TrainRow]:
    """The rows' own prompts or else those of their variants, and targets as their variants want them said.

    A pair becomes a row of two options, the chosen one first, with the probabilities of either being the better one.

    Args:
        task: words the questions.
        rows: training rows or pairs (`core.tables.ROWS`, `PAIRS`); further columns of numbers become fields of the rows
            (`TrainRow.fields`), a column `WEAK_TOKENS` their weak tokens.
        questions: the examples they are about.
        options: whether hard rows get the options of their questions, as objectives with `of_options` need them.

    Raises:
        DataError: a row's question is not among them, its target cannot be said, or a further column is no number.
    """
    examples = {example.example_id: example for example in iter_examples(questions)}
    usual = {*(PAIRS if of_pairs(rows) else ROWS).names, WEAK_TOKENS.name}
    further = [name for name in rows.column_names if name not in usual]
    worded = []
    for row in rows.to_pylist():
        example = examples.get(row["example_id"])
        if example is None:
            raise DataError(
                f"training row '{row['row_id']}' asks example '{row['example_id']}', which is not in the pool"
            )
        wording = task.wording(example, row["variant"])
        prompt = wording.prompt if row["prompt"] is None else row["prompt"]
        fields = {name: _numbers(row[name], name, row["row_id"]) for name in further}
        if of_pairs(rows):
            worded.append(_pair(task, example, wording, row, prompt, fields))
            continue
        texts = wording.options or task.classes
        if row["probabilities"] is not None:
            shares = dict(row["probabilities"])
            values = wording.values or texts
            if texts is None or values is None:
                raise DataError(f"training row '{row['row_id']}' has probabilities, but its question has no options")
            soft = tuple(float(shares.get(v, 0.0)) for v in values)
            total = sum(soft)
            if total <= 0:
                raise DataError(f"training row '{row['row_id']}' gives no probability to any of {list(values)}")
            soft = tuple(p / total for p in soft)
            worded.append(TrainRow(row["row_id"], prompt, None, texts, soft, row["weight"], row["example_id"], fields))
            continue
        value = row["target"]
        if row["source"] == "gold":
            value = task.solution(example, value)
        target, choices = wording.say(value), texts if options else None
        tokens = None if row.get(WEAK_TOKENS.name) is None else tuple(tuple(t.values()) for t in row[WEAK_TOKENS.name])
        worded.append(
            TrainRow(row["row_id"], prompt, target, choices, None, row["weight"], row["example_id"], fields, tokens)
        )
    return worded


def _pair(
    task: Task, example: Example, wording: Wording, row: dict[str, Any], prompt: str, fields: dict[str, Any]
) -> TrainRow:
    said = []
    for side in ("chosen", "rejected"):
        value = row[side]
        said.append(wording.say(task.solution(example, value) if row[f"{side}_source"] == "gold" else value))
    chosen, rejected = said
    if chosen == rejected:
        raise DataError(f"pair '{row['row_id']}' has the same answer twice, {chosen!r}; leave it out")
    if not 0 <= (flip := row["flip_probability"]) <= 1:
        raise DataError(f"pair '{row['row_id']}' has flip_probability {flip}; it is from 0 to 1")
    shares = (1 - flip, flip)
    return TrainRow(row["row_id"], prompt, None, (chosen, rejected), shares, row["weight"], row["example_id"], fields)


def _numbers(value: Any, column: str, row_id: str) -> float | tuple[float, ...]:
    try:
        return tuple(float(one) for one in value) if isinstance(value, list) else float(value)
    except (TypeError, ValueError):
        raise DataError(
            f"training row '{row_id}' has {value!r} in column '{column}'; further columns hold numbers or lists of "
            "numbers for the objective, in every row"
        ) from None

"""Training rows in words: what methods say in canonical values becomes prompts and targets."""

from __future__ import annotations

import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import DataError
from outgrow.core.tables import iter_examples
from outgrow.tasks.base import Task
from outgrow.training.rows import TrainRow


def without_option_texts(task: Task, answers: pa.Table, questions: pa.Table) -> pa.Table:
    """Answers whose `text` is null where their question has options: there the option is learned, not how it was said.

    A text such as "The answer is B." holds for the wording it answers alone; `render_rows` says the value anew.

    Args:
        task: words the questions.
        answers: answers (`records.ANSWERS`).
        questions: the examples they are about.
    """
    chosen = [e.example_id for e in iter_examples(questions) if task.wording(e, 0).options is not None]
    of_options = pc.is_in(answers["example_id"], pa.array(chosen, pa.string()))
    texts = pc.if_else(of_options, pa.scalar(None, pa.string()), answers["text"])
    return answers.set_column(answers.column_names.index("text"), answers.schema.field("text"), texts)


def render_rows(task: Task, rows: pa.Table, questions: pa.Table) -> list[TrainRow]:
    """Prompts of the rows' variants, and targets as those prompts want them said.

    Args:
        task: words the questions.
        rows: training rows (`records.ROWS`).
        questions: the examples they are about.

    Raises:
        DataError: a row's question is not among them, or its target cannot be said.
    """
    examples = {example.example_id: example for example in iter_examples(questions)}
    worded = []
    for row in rows.to_pylist():
        example = examples.get(row["example_id"])
        if example is None:
            raise DataError(
                f"training row '{row['row_id']}' asks example '{row['example_id']}', which is not in the pool"
            )
        wording = task.wording(example, row["variant"])
        options = wording.options or task.classes
        if row["probabilities"] is not None:
            shares = dict(row["probabilities"])
            values = wording.values or options
            if options is None or values is None:
                raise DataError(f"training row '{row['row_id']}' has probabilities, but its question has no options")
            soft = tuple(float(shares.get(v, 0.0)) for v in values)
            total = sum(soft)
            if total <= 0:
                raise DataError(f"training row '{row['row_id']}' gives no probability to any of {list(values)}")
            soft = tuple(p / total for p in soft)
            worded.append(
                TrainRow(row["row_id"], wording.prompt, None, options, soft, row["weight"], row["example_id"])
            )
            continue
        value = row["target"]
        if row["source"] == "gold":
            value = task.solution(example, value)
        said = wording.say(value)
        worded.append(TrainRow(row["row_id"], wording.prompt, said, None, None, row["weight"], row["example_id"]))
    return worded

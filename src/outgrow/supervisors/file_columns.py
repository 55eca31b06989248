"""Files of answers whose columns a recipe explains: questions by their text, probabilities a column each."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa

from outgrow.core.errors import DataError
from outgrow.core.tables import PROBABILITIES, Example, iter_examples, with_column
from outgrow.io import read_answers
from outgrow.io.reading import load
from outgrow.supervisors.config import FileSupervisor
from outgrow.tasks.base import Task
from outgrow.tasks.splits import normalise_text

ABOVE = 1e-6  # by how much probabilities may add up to more than 1


def read_columns(config: FileSupervisor, path: Path) -> pa.Table:
    """Answers in file order; where the question's text stands for its id, `example_id` is that text.

    Raises:
        DataError: as `outgrow.io.read_answers`, or a probability is missing, outside 0 to 1, or adds up to more than 1.
    """
    text = (config.text,) if isinstance(config.text, str) else config.text or ()
    answers = read_answers(path, columns=config.columns, text=text)
    if not config.probabilities:
        return answers
    names = dict.fromkeys(config.probabilities.values())
    schema = pa.schema([pa.field(name, pa.float64(), nullable=False) for name in names])
    loaded = load(path, schema, required=schema.names, name="answers")
    shares = np.stack([loaded.table[name].to_numpy() for name in config.probabilities.values()], axis=1)
    wrong = ~((shares >= 0).all(1) & (shares.sum(1) <= 1 + ABOVE))
    if wrong.any():
        row = int(wrong.argmax())
        raise DataError(
            f"{loaded.where(row)}, columns {list(names)}: {shares[row].tolist()} are no probabilities of values, which "
            "are at least 0 and add up to at most 1"
        )
    maps = [list(zip(config.probabilities, row, strict=True)) for row in shares.tolist()]
    return with_column(answers, "probabilities", pa.array(maps, PROBABILITIES))


def by_text(answers: pa.Table, task: Task, path: Path) -> pa.Table:
    """Answers under the ids of the questions whose text they have as `example_id`; other answers are left out.

    Raises:
        DataError: no text is a question of the task, or two of its questions have the same one.
    """
    ids: dict[str, str] = {}
    for example in (each for split in task.splits for each in iter_examples(task.examples(split))):
        if ids.setdefault(normalise_text(example.question), example.example_id) != example.example_id:
            raise DataError(
                f"{path}: two questions of task '{task.name}' have the text {example.question!r} and differ in their "
                "options, so answers cannot be matched by text; give answers and questions ids"
            )
    texts = answers["example_id"].to_pylist()
    matched = pa.array([ids.get(normalise_text(text)) for text in texts], pa.string())
    if matched.null_count == len(matched):
        raise DataError(
            f"{path}: none of its {len(set(texts))} texts is a question of task '{task.name}'; the file has "
            f"{texts[0]!r}, the task {next(iter(ids))!r}; name the columns that the task's text is made of, in order"
        )
    return with_column(answers, "example_id", matched).filter(matched.is_valid())


def completed(
    shares: Iterable[tuple[str, float]], example: Example, options: Iterable[str] | None, path: Path
) -> list[tuple[str, float]]:
    """Probabilities of all options of a question: one that has no column has the rest.

    Raises:
        DataError: several options have no column, or one that has is none of the question's.
    """
    given = dict(shares)
    if options is None:
        return list(given.items())
    left = [option for option in options if option not in given]
    if len(left) > 1 or (strange := set(given) - set(options)):
        seen = f"{left} have no column" if len(left) > 1 else f"{sorted(strange)} are none of them"
        raise DataError(
            f"{path}: probabilities: of the options {list(options)} of question {example.question!r} {seen}; name a "
            "column for each, all but one"
        )
    return [*given.items(), *((option, max(0.0, 1.0 - sum(given.values()))) for option in left)]

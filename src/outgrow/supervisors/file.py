"""Answers that were given before, by people or machines, as a supervisor."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import DataError
from outgrow.core.files import sha256_file
from outgrow.core.hashing import sha256_text
from outgrow.core.names import did_you_mean
from outgrow.core.tables import PROBABILITIES, Example, iter_examples, with_column
from outgrow.io import as_one_source
from outgrow.io.answers import numbers_within
from outgrow.supervisors.config import FileSupervisor
from outgrow.supervisors.file_columns import by_text, completed, read_columns
from outgrow.tasks.base import Task
from outgrow.tasks.parsing import after_reasoning


def identity(config: FileSupervisor, folder: Path) -> str:
    """What stands for the answers in a store's key: the file's content, and which part of it is used."""
    more: list[object] = ["apart"] if config.apart else []
    if config.columns or config.text or config.probabilities:
        more.append(config.model_dump(mode="json", include={"columns", "text", "probabilities"}))
    return sha256_text("file", sha256_file(folder / config.path), config.source, config.together, *more)


def answer(
    config: FileSupervisor, folder: Path, task: Task, examples: pa.Table, *, first_only: bool = False
) -> pa.Table:
    """The file's answers to these questions, in its order.

    Args:
        config: the file, and whose answers in it count.
        folder: where the file is.
        task: tells which values a question's answer may have.
        examples: the questions.
        first_only: take variant 0, sample 0 alone, not all that the file has.

    Returns:
        Answers (`records.ANSWERS`); empty when the file has none for these questions. A question that the file does
        not answer is simply not there. A value that is none of a question's options becomes null: an invalid answer.
        Where answers are free the task reads it, so that "1,119" and "1119.0" are one; what it cannot read stays as
        given. A `prompt` that the file does not have is the task's identity wording.

    Raises:
        DataError: the file is wrong; it holds several sources and none of `source`, `together` and `apart` is set; or
            none of its ids or texts is a question of the task at all; or its probabilities are not those of a
            question's options.
    """
    path = folder / config.path
    answers = _of_source(read_columns(config, path), config, path)
    if config.text is not None:
        answers = by_text(answers, task, path)
    answers = _from_zero(answers)
    known = {i for split in task.splits for i in task.examples(split)["example_id"].to_pylist()}
    ids = set(answers["example_id"].to_pylist())
    if not ids & known:
        given, wanted = sorted(ids)[0], sorted(known)[0]
        raise DataError(
            f"{path}: none of its {len(ids)} example_ids is a question of task '{task.name}'; the file has {given!r}, "
            f"the task {wanted!r}{did_you_mean(given, known) or '.'} With a task of kind 'table', name the "
            "column that holds your ids: id: COLUMN"
        )
    mine = answers.filter(pc.is_in(answers["example_id"], examples["example_id"].combine_chunks()))
    if first_only:
        mine = mine.filter(pc.and_(pc.equal(mine["variant"], 0), pc.equal(mine["sample"], 0)))
    by_id = {example.example_id: example for example in iter_examples(examples)}
    values = [
        _read(task, by_id[i], value)
        for i, value in zip(mine["example_id"].to_pylist(), mine["value"].to_pylist(), strict=True)
    ]
    if config.probabilities:
        shares = [
            completed(row, by_id[i], task.wording(by_id[i], 0).values or task.classes, path)
            for i, row in zip(mine["example_id"].to_pylist(), mine["probabilities"].to_pylist(), strict=True)
        ]
        mine = with_column(mine, "probabilities", pa.array(shares, PROBABILITIES))
    prompts = [task.wording(by_id[i], 0).prompt for i in mine["example_id"].to_pylist()]
    mine = with_column(mine, "value", pa.array(values, pa.string()))
    return with_column(mine, "prompt", pc.coalesce(mine["prompt"], pa.array(prompts, pa.string())))


def _of_source(answers: pa.Table, config: FileSupervisor, path: Path) -> pa.Table:
    sources = sorted(set(answers["source"].to_pylist()))
    if config.source is not None:
        if config.source not in sources:
            raise DataError(
                f"{path}: no answer has the source {config.source!r}{did_you_mean(config.source, sources) or '.'} "
                f"There are {', '.join(map(repr, sources[:20]))}"
            )
        return answers.filter(pc.equal(answers["source"], config.source))
    if len(sources) > 1 and not (config.together or config.apart):
        raise DataError(
            f"{path}: answers of {len(sources)} sources ({', '.join(map(repr, sources[:5]))}, ...); choose one with "
            "source: NAME, take each for an annotator with apart: true, or all for one crowd with together: true"
        )
    if config.apart:
        return answers
    return as_one_source(answers, config.name) if len(sources) > 1 else answers


def _from_zero(answers: pa.Table) -> pa.Table:
    """Samples numbered 0, 1, ... within question, source and wording, in their own order: some files count from 1."""
    question, source, variant, sample = (
        np.unique(answers[name].to_numpy(), return_inverse=True)[1]
        for name in ("example_id", "source", "variant", "sample")
    )
    order = np.lexsort((sample, variant, source, question))
    numbers = np.empty(len(order), np.int64)
    place = question * (source.max(initial=0) + 1) + source
    numbers[order] = numbers_within((place * (variant.max(initial=0) + 1) + variant)[order])
    return with_column(answers, "sample", pa.array(numbers))


def _read(task: Task, example: Example, value: str | None) -> str | None:
    wording = task.wording(example, 0)
    options = wording.values or task.classes
    if value is None or (options is not None and value in options):
        return value
    answer = after_reasoning(value)
    if answer is None:
        return None
    said = task.extract(answer, example, wording)
    if said is None and options is None:
        said = (
            task.extract(f"\\boxed{{{answer}}}", example, wording) or answer
        )  # a formula, and all of it is the answer
    return said

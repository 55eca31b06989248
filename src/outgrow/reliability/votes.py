"""Answers counted: the votes of each question as flat integer arrays."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.arrays import Bool, Int
from outgrow.core.encoding import encode
from outgrow.core.errors import DataError, PrerequisiteError


@dataclass(frozen=True)
class Votes:
    """Counts of distinct valid answers. An *entry* is one distinct valid answer of one question.

    Questions stand in order of first appearance. Entries are sorted by question, then count
    (descending), then value, so that nothing computed from them depends on the order of rows.
    """

    example_ids: pa.Array
    sources: pa.Array
    question: Int[np.ndarray, "rows"]  # of each row
    value: Int[np.ndarray, "rows"]  # code into `values` of each row; -1 invalid
    values: pa.Array  # all distinct values, sorted
    asked: Int[np.ndarray, "questions"]  # K
    invalid: Int[np.ndarray, "questions"]
    entry_question: Int[np.ndarray, "entries"]
    entry_value: Int[np.ndarray, "entries"]
    entry_count: Int[np.ndarray, "entries"]
    offsets: Int[np.ndarray, "questions_plus_one"]  # entries of question q: offsets[q] to offsets[q + 1]

    @property
    def top(self) -> Int[np.ndarray, "questions"]:
        """Largest count of each question; 0 where every answer is invalid."""
        top = np.zeros(len(self.asked), np.int64)
        some = self.offsets[1:] > self.offsets[:-1]
        top[some] = self.entry_count[self.offsets[:-1][some]]
        return top

    @cached_property
    def divisor(self) -> Int[np.ndarray, "questions"]:
        """The largest number that divides all counts of each question; an invalid answer counts once."""
        divisor = np.ones(len(self.asked), np.int64)
        answered = np.flatnonzero(self.offsets[1:] > self.offsets[:-1])
        if len(answered):
            divisor[answered] = np.gcd.reduceat(self.entry_count, self.offsets[answered])
        return np.where(self.invalid == 0, divisor, 1)

    @property
    def leading(self) -> Bool[np.ndarray, "entries"]:
        """Entries whose count equals the largest of their question."""
        return np.asarray(self.entry_count == self.top[self.entry_question])


def column(table: pa.Table, name: str) -> pa.ChunkedArray | None:
    """A column as plain Arrow, or None when it is absent or holds nothing but null."""
    if name not in table.column_names:
        return None
    found = table.column(name)
    if found.null_count == len(found):
        return None
    if pa.types.is_dictionary(found.type) or pa.types.is_large_string(found.type):
        found = found.cast(pa.string())
    return found


def count_votes(answers: pa.Table, *, one_label_per_source: bool = False) -> Votes:
    """Count the answers of each question (of each question and source, if `one_label_per_source`).

    Raises:
        DataError: a column is missing, an id is null, or there is no answer.
        PrerequisiteError: the answers come from several sources and one label per source was not asked for.
    """
    for name in ("example_id", "value"):
        if name not in answers.column_names:
            raise DataError(f"answers: missing column '{name}'; found {answers.column_names}")
    if answers.num_rows == 0:
        raise DataError("answers: the table is empty; there is nothing to count")
    ids = column(answers, "example_id")
    if ids is None or ids.null_count:
        raise DataError("answers: 'example_id' is null in some rows; each answer needs the id of its question")
    questions = encode(ids)
    example_ids, question = questions.names, questions.codes
    named = column(answers, "source")
    sources = pa.nulls(len(example_ids), pa.string())
    if named is not None:
        source = encode(named)
        if len(source.names) + bool((source.codes < 0).any()) > 1:
            if not one_label_per_source:
                raise PrerequisiteError(
                    f"the answers come from several sources ({_shown(source.names)}): votes and entropy belong to "
                    "the answers of one source; keep one source, take all of them for one crowd (--together), or ask "
                    "for one label per source (--one-label-per-source)"
                )
            width = len(source.names) + 1
            keys, first, question = np.unique(
                question * width + source.codes + 1, return_index=True, return_inverse=True
            )
            order = np.argsort(first, kind="stable")
            place = np.empty(len(order), np.int64)
            place[order] = np.arange(len(order))
            question, keys = place[question], keys[order]
            example_ids = example_ids.take(pa.array(keys // width))
            code = keys % width - 1
            sources = source.names.take(pa.array(code, mask=code < 0))
        else:
            sources = pa.repeat(source.names[0], len(example_ids))
    return _counted(example_ids, sources, question, column(answers, "value"))


def _counted(
    example_ids: pa.Array, sources: pa.Array, question: Int[np.ndarray, "rows"], given: pa.ChunkedArray | None
) -> Votes:
    n_questions = len(example_ids)
    asked = np.bincount(question, minlength=n_questions)
    if given is None:
        value, values = np.full(len(question), -1, np.int64), pa.array([], pa.string())
    else:
        if not pa.types.is_string(given.type):
            raise DataError(f"answers: 'value' must be text, not {given.type}")
        encoded = encode(given)
        order = np.asarray(pc.sort_indices(encoded.names).to_numpy())
        rank = np.empty(len(order) + 1, np.int64)
        rank[order] = np.arange(len(order))
        rank[-1] = -1  # code -1, null
        value, values = rank[encoded.codes], encoded.names.take(pa.array(order))
    valid = value >= 0
    if valid.all():
        invalid, keys = np.zeros(n_questions, np.int64), question * len(values) + value
    else:
        invalid = asked - np.bincount(question[valid], minlength=n_questions)
        keys = question[valid] * len(values) + value[valid]
    if n_questions * len(values) <= 4 * len(question):
        dense = np.bincount(keys, minlength=n_questions * len(values))
        keys = np.flatnonzero(dense)
        counts = dense[keys]
    else:
        keys, counts = np.unique(keys, return_counts=True)
    entry_question, entry_value = np.divmod(keys, max(len(values), 1))
    order = np.argsort(entry_question * (int(asked.max()) + 1) + (asked.max() - counts), kind="stable")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(entry_question, minlength=n_questions))])
    return Votes(
        example_ids=example_ids,
        sources=sources,
        question=question,
        value=value,
        values=values,
        asked=asked,
        invalid=invalid,
        entry_question=entry_question,
        entry_value=entry_value[order],
        entry_count=counts[order],
        offsets=offsets,
    )


def _shown(names: pa.Array, limit: int = 5) -> str:
    some = ", ".join(repr(name) for name in names[:limit].to_pylist())
    return some + (f" and {len(names) - limit} more" if len(names) > limit else "")

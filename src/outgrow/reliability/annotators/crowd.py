"""Sparse votes of a crowd: who gave which label to which task, as flat integer arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.sparse import csr_matrix

from outgrow.core.arrays import Bool, Float, Int
from outgrow.core.encoding import encode
from outgrow.core.errors import DataError
from outgrow.reliability.options import flatten
from outgrow.reliability.votes import column

MANY_CLASSES = 50
"""Above this many classes a table of confusions is not estimated: labels are then free answers, not classes."""


@dataclass(frozen=True)
class CrowdVotes:
    """One row per task, annotator and label, sorted by them.

    What an annotator gave a task weighs 1 in all: asked five times, or answering with probabilities, it is one
    annotator with a distribution and never five.

    Attributes:
        task: of each row, an index into `tasks`.
        annotator: of each row, an index into `annotators`.
        label: of each row, an index into `classes`.
        weight: of each row; the rows of one task and annotator sum to 1.
        tasks: ids in order of first appearance; those without a valid vote are among them.
        annotators: names, sorted.
        classes: labels, sorted.
        invalid: of each task, how many votes could not be read.
    """

    task: Int[np.ndarray, "rows"]
    annotator: Int[np.ndarray, "rows"]
    label: Int[np.ndarray, "rows"]
    weight: Float[np.ndarray, "rows"]
    tasks: pa.Array
    annotators: pa.Array
    classes: pa.Array
    invalid: Int[np.ndarray, "tasks"]

    @cached_property
    def offsets(self) -> Int[np.ndarray, "tasks_plus_one"]:
        """The rows of task t: offsets[t] to offsets[t + 1]."""
        return np.searchsorted(self.task, np.arange(len(self.tasks) + 1))

    @cached_property
    def answered(self) -> Float[np.ndarray, "annotators"]:
        """How many tasks each annotator answered with a valid label."""
        return np.bincount(self.annotator, self.weight, len(self.annotators))

    @cached_property
    def single(self) -> Bool[np.ndarray, "rows"]:
        """Rows of a task and annotator that hold all that this annotator gave the task."""
        return np.asarray(self.weight > 1 - 1e-9)

    @cached_property
    def incidence(self) -> csr_matrix:
        """Weights as a matrix of tasks and pairs (annotator, label), numbered annotator * classes + label."""
        k = len(self.classes)
        shape = (len(self.tasks), len(self.annotators) * k)
        return csr_matrix((self.weight, self.annotator * k + self.label, self.offsets), shape=shape)

    @cached_property
    def shares(self) -> csr_matrix:
        """Share of each label among the votes of each task, (tasks, classes); empty rows where there is none."""
        shape = (len(self.tasks), len(self.classes))
        return normalised(csr_matrix((self.weight, self.label, self.offsets), shape=shape))

    def expected_counts(
        self, posterior: Float[np.ndarray, "tasks classes"]
    ) -> Float[np.ndarray, "annotators answers classes"]:
        """How many answers of each annotator fall on each pair of given and right label, in expectation."""
        k = len(self.classes)
        return np.asarray(self.incidence.T @ posterior).reshape(len(self.annotators), k, k)

    def __len__(self) -> int:
        return len(self.task)


def normalised(matrix: csr_matrix) -> csr_matrix:
    """A sparse matrix with its doubles summed and its rows divided by their sums; empty rows stay empty."""
    matrix = matrix.copy()  # it may share its arrays with votes
    matrix.sum_duplicates()
    total = np.asarray(matrix.sum(axis=1)).ravel()
    matrix.data /= np.repeat(total, np.diff(matrix.indptr))
    return matrix


def crowd_votes(answers: pa.Table, *, classes: Sequence[str] | None = None, probabilities: bool = False) -> CrowdVotes:
    """The votes in a table of answers.

    Args:
        answers: `example_id`, `value`, and `source` (the annotator); `probabilities` if they are to be used, and
            `weight` if some answers are to count for less than others of the same annotator and task.
        classes: the labels there are, seen or not; by default those seen. Others then count as invalid.
        probabilities: take an answer's option probabilities for its vote, where it has some, instead of its value.

    Raises:
        DataError: a column is missing, no answer has a value, or a probability or weight is negative.

    Examples:
        >>> import pyarrow as pa
        >>> table = {"example_id": [*"qqqq"], "source": ["ann", "ann", "ann", "bob"], "value": [*"xxyx"]}
        >>> votes = crowd_votes(pa.table(table))
        >>> votes.annotator.tolist(), votes.label.tolist(), votes.weight.round(3).tolist()
        ([0, 0, 1], [0, 1, 0], [0.667, 0.333, 1.0])
    """
    for name in ("example_id", "source", "value"):
        if name not in answers.column_names:
            raise DataError(f"answers: no column {name!r}; found {answers.column_names}")
    tasks = encode(answers["example_id"])
    row, label, weight = _labels(answers, probabilities)
    given = np.asarray(answers["weight"].to_numpy()) if "weight" in answers.column_names else np.ones(len(answers))
    if len(given) and not (np.isfinite(given).all() and given.min() >= 0):
        raise DataError(
            "answers: a weight is negative, empty or not finite; weights of votes are numbers of at least 0"
        )
    names = sorted(set(classes)) if classes is not None else sorted(pc.unique(label).to_pylist())
    code = pc.index_in(label, value_set=pa.array(names, pa.string())).fill_null(-1).to_numpy().astype(np.int64)
    known = code >= 0
    row, code, weight = row[known], code[known], weight[known] * given[row[known]]
    if not len(row):
        raise DataError(
            f"answers: none of the {answers.num_rows} answers has a valid label; there are no votes to count"
        )
    people = encode(answers["source"])
    order = np.argsort(np.array(people.names.to_pylist(), dtype=object))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    who = rank[people.codes]
    unit, n = tasks.codes * len(rank) + who, len(names)
    key, at = np.unique(unit[row] * n + code, return_inverse=True)
    summed = np.bincount(at, weight)
    of = key // n
    start = np.flatnonzero(np.diff(of, prepend=-1))
    total = np.repeat(np.add.reduceat(summed, start), np.diff(start, append=len(of)))
    keep = (summed > 0) & (total > 0)
    key, of, share = key[keep], of[keep], summed[keep] / total[keep]
    unread = np.bincount(tasks.codes, minlength=len(tasks.names)) - np.bincount(
        tasks.codes[np.unique(row)], minlength=len(tasks.names)
    )
    return CrowdVotes(
        task=of // len(rank),
        annotator=of % len(rank),
        label=key % n,
        weight=share,
        tasks=tasks.names,
        annotators=people.names.take(pa.array(order)),
        classes=pa.array(names, pa.string()),
        invalid=unread,
    )


def _labels(
    answers: pa.Table, probabilities: bool
) -> tuple[Int[np.ndarray, "votes"], pa.Array, Float[np.ndarray, "votes"]]:
    """Row, label and weight of every vote; an answer with probabilities is several."""
    value = answers["value"].combine_chunks() if answers.num_rows else pa.array([], pa.string())
    value = value.cast(pa.string())
    row = np.flatnonzero(np.asarray(value.is_valid()))
    maps = column(answers, "probabilities") if probabilities else None
    if maps is None:
        return row, value.take(pa.array(row)), np.ones(len(row))
    flat = flatten(maps)
    if len(flat.items) and not (np.isfinite(flat.items).all() and flat.items.min() >= 0):
        raise DataError("answers: a probability is negative or not finite")
    alone = row[~np.isin(row, flat.row)]
    keys = flat.keys.combine_chunks() if isinstance(flat.keys, pa.ChunkedArray) else flat.keys
    label = pa.concat_arrays([keys.cast(pa.string()), value.take(pa.array(alone))])
    return np.concatenate([flat.row, alone]), label, np.concatenate([flat.items, np.ones(len(alone))])

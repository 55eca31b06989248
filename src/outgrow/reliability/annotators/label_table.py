"""What a model of annotators makes of the votes, as a labels table."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from scipy.sparse import csr_matrix

from outgrow.core.arrays import Bool, Float, Int
from outgrow.core.tables import LABELS, PROBABILITIES
from outgrow.reliability.annotators.crowd import CrowdVotes
from outgrow.reliability.hashing import digests

LEAST = 1e-6
"""Classes less probable than this are left out of the table's `probabilities`."""


def label_table(
    votes: CrowdVotes, posterior: Float[np.ndarray, "tasks classes"] | csr_matrix, *, seed: int, estimator: str
) -> pa.Table:
    """Labels in the form of `outgrow.core.tables.LABELS`, tasks in the votes' order.

    Args:
        votes: what the posterior was made of.
        posterior: P(label) of each task; sparse where labels that nobody gave are left out.
        seed: of ties.
        estimator: its name, for the metadata.
    """
    n = len(votes.tasks)
    voted = np.diff(votes.offsets) > 0
    sparse = posterior if isinstance(posterior, csr_matrix) else csr_matrix(np.where(posterior > LEAST, posterior, 0))
    task, label, p = np.repeat(np.arange(n), np.diff(sparse.indptr)), sparse.indices, sparse.data
    use = voted[task]
    task, label, p = task[use], label[use], p[use]
    order = np.lexsort((label, -p, task))
    task, label, p = task[order], label[order], p[order]
    first = np.flatnonzero(np.diff(task, prepend=-1))
    chosen, best = np.full(n, -1), np.zeros(n)
    chosen[task[first]], best[task[first]] = label[first], p[first]
    _break_ties(votes, task, label, p >= best[task] - 1e-12, chosen, seed)
    ahead = np.lexsort((label, -p, label != chosen[task], task))  # maps list the label of the row first
    task, label, p = task[ahead], label[ahead], p[ahead]
    offsets = np.concatenate([[0], np.cumsum(np.bincount(task, minlength=n))])
    columns = {
        "example_id": votes.tasks,
        "source": pa.nulls(n, pa.string()),
        "value": votes.classes.take(pa.array(chosen, mask=~voted)),
        "votes": _vote_maps(votes, chosen),
        "probabilities": pa.MapArray.from_arrays(
            pa.array(offsets, pa.int32()), votes.classes.take(pa.array(label)), pa.array(p)
        ).cast(PROBABILITIES),
        "entropy": pa.array(np.bincount(task, -p * np.log(np.maximum(p, 1e-300)), n), mask=~voted),
        "reliability": pa.array(best),
        "n_valid": pa.array(_units(votes)),
        "n_invalid": pa.array(votes.invalid),
        "vote_share": pa.array(_share_of(votes, chosen), mask=~voted),
    }
    arrays = [columns.get(field.name, pa.nulls(n, field.type)) for field in LABELS]
    return pa.table(arrays, schema=LABELS.with_metadata({"estimator": estimator, "seed": str(seed)}))


def _break_ties(
    votes: CrowdVotes,
    task: Int[np.ndarray, "entries"],
    label: Int[np.ndarray, "entries"],
    top: Bool[np.ndarray, "entries"],
    chosen: Int[np.ndarray, "tasks"],
    seed: int,
) -> None:
    """Among equally probable labels the one of smallest sha256(seed, id, value), in place."""
    tied = np.flatnonzero(top & (np.bincount(task[top], minlength=len(chosen)) > 1)[task])
    if not len(tied):
        return
    names = votes.tasks.take(pa.array(task[tied])).to_pylist()
    values = votes.classes.take(pa.array(label[tied])).to_pylist()
    smallest: dict[int, bytes] = {}
    for t, value, digest in zip(task[tied].tolist(), label[tied].tolist(), digests([seed], names, values), strict=True):
        if t not in smallest or digest < smallest[t]:
            smallest[t] = digest
            chosen[t] = value


def _units(votes: CrowdVotes) -> Int[np.ndarray, "tasks"]:
    """How many annotators gave each task a valid label."""
    new = (np.diff(votes.task, prepend=-1) != 0) | (np.diff(votes.annotator, prepend=-1) != 0)
    return np.bincount(votes.task[new], minlength=len(votes.tasks))


def _share_of(votes: CrowdVotes, chosen: Int[np.ndarray, "tasks"]) -> Float[np.ndarray, "tasks"]:
    same = votes.label == chosen[votes.task]
    total = np.bincount(votes.task, votes.weight, len(chosen))
    return np.asarray(np.bincount(votes.task, votes.weight * same, len(chosen)) / np.maximum(total, 1e-12))


def _vote_maps(votes: CrowdVotes, chosen: Int[np.ndarray, "tasks"]) -> pa.Array:
    """How many annotators chose each label (of one who gave several: the heaviest), the task's label first."""
    order = np.lexsort((votes.label, -votes.weight, votes.annotator, votes.task))
    task, who, label = votes.task[order], votes.annotator[order], votes.label[order]
    heaviest = (np.diff(task, prepend=-1) != 0) | (np.diff(who, prepend=-1) != 0)
    k = len(votes.classes)
    key, count = np.unique(task[heaviest] * k + label[heaviest], return_counts=True)
    task, label = key // k, key % k
    ahead = np.lexsort((label, -count, label != chosen[task], task))
    offsets = np.concatenate([[0], np.cumsum(np.bincount(task, minlength=len(chosen)))])
    names = votes.classes.take(pa.array(label[ahead]))
    counts = pa.array(count[ahead])
    return pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), names, counts).cast(LABELS.field("votes").type)

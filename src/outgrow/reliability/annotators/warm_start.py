"""Beginning a fit where another ended."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow.compute as pc

from outgrow.core.arrays import Float
from outgrow.reliability.annotators.base import AnnotatorModel
from outgrow.reliability.annotators.crowd import CrowdVotes
from outgrow.reliability.annotators.weighted_vote import weighted_shares


def carried_over(
    votes: CrowdVotes, start: AnnotatorModel, shares: Float[np.ndarray, "tasks classes"]
) -> Float[np.ndarray, "tasks classes"]:
    """The labels of a fitted model where it knows the task, else votes weighed by its accuracies.

    Args:
        votes: to be fitted.
        start: the fitted model.
        shares: where tasks begin that have no vote of weight.
    """
    weight = np.maximum(carried_accuracy(votes, start) - 1 / len(votes.classes), 0.01)
    posterior = np.asarray(weighted_shares(votes, weight, np.full(len(votes.tasks), -1)).toarray())
    posterior = np.where(posterior.sum(axis=1, keepdims=True) > 0, posterior, shares)
    at = pc.index_in(votes.tasks, value_set=start.votes_.tasks).fill_null(-1).to_numpy(zero_copy_only=False)
    of = pc.index_in(start.votes_.classes, value_set=votes.classes).fill_null(-1).to_numpy(zero_copy_only=False)
    same = np.flatnonzero(at >= 0)
    before = start.posterior_[at[same]]
    before = np.asarray(before.toarray() if hasattr(before, "toarray") else before)
    carried = np.zeros((len(same), len(votes.classes)))
    carried[:, of[of >= 0]] = before[:, of >= 0]
    total = carried.sum(axis=1, keepdims=True)
    use = total.ravel() > 0
    posterior[same[use]] = carried[use] / total[use]
    return posterior


def carried_accuracy(votes: CrowdVotes, start: AnnotatorModel) -> Float[np.ndarray, "annotators"]:
    """Accuracy by a fitted model; of annotators that it does not know, the mean of the others."""
    index: dict[Any, float] = dict(zip(start.votes_.annotators.to_pylist(), start.accuracy_.tolist(), strict=True))
    mean = float(np.mean(start.accuracy_))
    return np.array([index.get(name, mean) for name in votes.annotators.to_pylist()])

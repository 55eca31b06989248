"""Votes that count by weight: all alike, by agreement with the majority, or as the user says."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.sparse import csr_matrix

from outgrow.core.arrays import Float, Int
from outgrow.core.errors import ConfigError
from outgrow.reliability.annotators.base import AnnotatorModel
from outgrow.reliability.annotators.crowd import CrowdVotes, normalised


class WeightedVote(AnnotatorModel):
    """Share of the weight behind each label.

    A share is no probability of being right: ten votes of four in five make a surer label than one vote alone.

    Args:
        weights: None: one annotator, one vote. `agreement`: how often an annotator agrees with the majority ("Wawa",
            worker agreement with aggregate). Or a weight of at least 0 per annotator's name; others weigh 1.

    Attributes:
        posterior_: sparse, (tasks, classes).
        weight_: of each annotator.
        accuracy_: of each annotator, how often the weighted majority says the same.
    """

    def __init__(self, weights: str | Mapping[str, float] | None = None) -> None:
        self.weights = weights

    def _fit(self, votes: CrowdVotes, known: Int[np.ndarray, "tasks"], start: AnnotatorModel | None) -> None:
        self.weight_ = self._weights(votes, known)
        self.posterior_ = weighted_shares(votes, self.weight_, known)
        self.accuracy_ = _agreement(votes, self.posterior_)
        self.n_iter_ = 1

    def _weights(self, votes: CrowdVotes, known: Int[np.ndarray, "tasks"]) -> Float[np.ndarray, "annotators"]:
        if self.weights is None:
            return np.ones(len(votes.annotators))
        if self.weights == "agreement":
            return _agreement(votes, weighted_shares(votes, np.ones(len(votes.annotators)), known))
        if isinstance(self.weights, str):
            raise ConfigError(f"weights must be None, 'agreement' or a weight per annotator, not {self.weights!r}")
        weight = np.array([self.weights.get(name, 1.0) for name in votes.annotators.to_pylist()])
        if not (np.isfinite(weight).all() and weight.min() >= 0):
            raise ConfigError("weights of annotators are finite numbers of at least 0")
        return weight


def weighted_shares(
    votes: CrowdVotes, weight: Float[np.ndarray, "annotators"], known: Int[np.ndarray, "tasks"]
) -> csr_matrix:
    """Share of the weight behind each label that was given, (tasks, classes); known labels have all of it."""
    data = votes.weight * np.maximum(weight[votes.annotator], 1e-12)
    shape = (len(votes.tasks), len(votes.classes))
    shares = normalised(csr_matrix((data, votes.label, votes.offsets), shape=shape))
    return clamped(shares, known)


def clamped(shares: csr_matrix, known: Int[np.ndarray, "tasks"]) -> csr_matrix:
    """Shares with those of known tasks replaced by certainty."""
    if not len(at := np.flatnonzero(known >= 0)):
        return shares
    open_ = np.repeat(known < 0, np.diff(shares.indptr))
    task = np.repeat(np.arange(shares.shape[0]), np.diff(shares.indptr))[open_]
    row, col = np.concatenate([task, at]), np.concatenate([shares.indices[open_], known[at]])
    return csr_matrix((np.concatenate([shares.data[open_], np.ones(len(at))]), (row, col)), shape=shares.shape)


def _agreement(votes: CrowdVotes, shares: csr_matrix) -> Float[np.ndarray, "annotators"]:
    """How often each annotator gave the label with the largest share (ties: the first of them)."""
    top = np.asarray(shares.argmax(axis=1)).ravel()
    same = votes.weight * (votes.label == top[votes.task])
    return np.asarray(np.bincount(votes.annotator, same, len(votes.annotators)) / np.maximum(votes.answered, 1e-12))

"""Expectation and maximisation over the states of tasks.

What a vote is worth depends on who gave which label, and whether it may repeat another vote, not on the task. Such
*kinds* of votes are few, so that both steps are products of a sparse matrix (tasks by kinds) with small dense ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix

from outgrow.core.arrays import Float, Int
from outgrow.reliability.annotators.base import clamp, expected_log, softmax_rows
from outgrow.reliability.annotators.crowd import CrowdVotes
from outgrow.reliability.annotators.dawid_skene import crowd_table, expected_accuracy
from outgrow.reliability.annotators.task_states import TaskStates

CELLS = 4_000_000
"""Tasks times states that are worked on at once."""
FLOOR = 1e-12


@dataclass(frozen=True)
class Parents:
    """For each row of votes the row of the same task that it may repeat.

    Attributes:
        row: its number, -1 where there is none.
        rate: share of the annotator's answers that are copies.
    """

    row: Int[np.ndarray, "rows"]
    rate: Float[np.ndarray, "rows"]


@dataclass(frozen=True)
class Piece:
    """Some tasks that follow each other.

    Attributes:
        tasks: their numbers.
        states: P(state | votes) of each, (tasks, states).
    """

    tasks: slice
    states: Float[np.ndarray, "tasks states"]


class StateFit:
    """The estimates of a `RobustDawidSkene`, improved step by step.

    Attributes:
        kind: of each row of votes.
        alone: P(vote | state) of each kind, if it is no copy, (kinds, states).
        vote: the same, given the vote that it may repeat.
    """

    def __init__(self, votes: CrowdVotes, known: Int[np.ndarray, "tasks"], states: TaskStates, strength: float) -> None:
        self.votes, self.known, self.states, self.strength = votes, known, states, strength
        self.posterior = np.empty((len(votes.tasks), len(votes.classes)))
        self.clear = np.empty(len(votes.tasks))
        self.set_parents(None)

    def set_parents(self, parents: Parents | None) -> None:
        """From now on votes may repeat others."""
        votes, k = self.votes, len(self.votes.classes)
        pair = votes.annotator * k + votes.label
        if parents is None:
            rate, same = np.zeros(len(votes)), np.zeros(len(votes))
        else:
            rate = parents.rate
            same = (parents.row >= 0) & (votes.label[np.maximum(parents.row, 0)] == votes.label)
        kinds, self.kind = np.unique(np.stack([pair, rate, same], axis=1), axis=0, return_inverse=True)
        self.kind = self.kind.ravel()
        self._pair, self._rate, self._same = kinds[:, 0].astype(np.int64), kinds[:, 1:2], kinds[:, 2:3]
        shape = (len(votes.tasks), len(kinds))
        incidence = csr_matrix((votes.weight, self.kind, votes.offsets), shape=shape)
        n = max(1, CELLS // len(self.states.guess))
        self._pieces = [(slice(i, min(i + n, shape[0])), incidence[i : i + n]) for i in range(0, shape[0], n)]

    def begin(self, posterior: Float[np.ndarray, "tasks classes"]) -> None:
        """Tables and shares from a first guess at the labels."""
        clamp(posterior, self.known)
        self.share = np.full(self.states.levels, 1 / self.states.levels)
        self.prior = _smoothed(posterior.sum(axis=0))
        self.accuracy = np.zeros(len(self.votes.annotators))
        self._make_tables(self.votes.expected_counts(posterior))

    def run(self, n_iter: int, tol: float) -> int:
        """Steps until nothing changes by more than `tol`; returns their number."""
        for step in range(1, n_iter + 1):
            if self._step() <= tol:
                return step
        return n_iter

    def pieces(self) -> Iterator[Piece]:
        """All tasks, under the current estimates."""
        self._weigh_votes()
        log_votes, log_priors = np.log(self.vote), self._log_priors()
        for tasks, incidence in self._pieces:
            states = np.asarray(incidence @ log_votes)
            states += log_priors[self.known[tasks]]
            softmax_rows(states)
            yield Piece(tasks, states)

    def _step(self) -> float:
        votes, states = self.votes, self.states
        n, k = len(votes.annotators), len(votes.classes)
        truth = states.joint(self.prior, self.share)
        truth /= np.maximum(truth.sum(axis=1, keepdims=True), 1e-300)
        of_kind = np.zeros((len(self._pair), len(states.guess)))
        level = np.zeros(states.levels)
        for piece, (_, incidence) in zip(self.pieces(), self._pieces, strict=True):
            of_kind += incidence.T @ piece.states
            self.posterior[piece.tasks] = piece.states @ truth
            voted = np.diff(incidence.indptr) > 0
            level += np.bincount(states.level, piece.states[voted].sum(axis=0), states.levels)
            self.clear[piece.tasks] = piece.states[:, states.level == 0].sum(axis=1)
        clamp(self.posterior, self.known)
        # how much of the votes of each kind is an answer given by row k of the annotator's table
        by_kind = (of_kind * (1 - self._rate) / self.vote) @ states.mix
        counts = np.zeros((n * k, k))
        np.add.at(counts, self._pair, by_kind)
        self._make_tables(counts.reshape(n, k, k) * self.table.transpose(0, 2, 1))
        before = self.accuracy, self.share
        self.accuracy = expected_accuracy(votes, self.posterior)
        self.share = _smoothed(level)
        self.prior = _smoothed(self.posterior[np.diff(votes.offsets) > 0].sum(axis=0))
        return max(float(np.abs(self.accuracy - before[0]).max()), float(np.abs(self.share - before[1]).max()))

    def _weigh_votes(self) -> None:
        """`alone` and `vote` of every kind."""
        n, k = len(self.votes.annotators), len(self.votes.classes)
        answer = self.table.transpose(0, 2, 1).reshape(n * k, k)  # of a pair of annotator and label, by right class
        alone = np.maximum(answer @ self.states.mix.T + self.states.guess / k, FLOOR)
        self.alone = alone[self._pair]
        self.vote = np.maximum((1 - self._rate) * self.alone + self._rate * self._same, FLOOR)

    def _make_tables(self, counts: Float[np.ndarray, "annotators answers classes"]) -> None:
        """Tables of confusions from expected counts: their mean, and what stands for them in likelihoods."""
        alpha = counts + self.strength * crowd_table(counts)
        self.mean_table = (alpha / alpha.sum(axis=1, keepdims=True)).transpose(0, 2, 1)
        self.table = np.maximum(expected_log(alpha), FLOOR).transpose(0, 2, 1)

    def _log_priors(self) -> Float[np.ndarray, "classes_plus_one states"]:
        """Log P(state) where class c is known to be right, and last where none is."""
        joint = self.states.joint(self.prior, self.share)
        return np.asarray(np.log(np.maximum(np.concatenate([joint.T, joint.sum(axis=1)[None]]), 1e-300)))


def _smoothed(mass: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
    return np.asarray((mass + 1) / (mass.sum() + len(mass)))

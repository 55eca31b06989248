"""Expectation and maximisation over the states of tasks, in pieces that fit the memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from scipy.special import digamma

from outgrow.core.arrays import Float, Int
from outgrow.reliability.annotators.base import clamp, softmax_rows
from outgrow.reliability.annotators.crowd import CrowdVotes
from outgrow.reliability.annotators.dawid_skene import crowd_table
from outgrow.reliability.annotators.task_states import TaskStates

CELLS = 2_000_000
"""Votes times states that are worked on at once."""
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
    """Some tasks that follow each other: what their votes and states are worth under the current estimates.

    Attributes:
        tasks: their numbers (those with votes).
        rows: of their votes.
        starts: where the votes of each task begin among `rows`.
        alone: P(vote | state), if it is no copy, (votes, states).
        vote: P(vote | state, the vote that it may repeat), (votes, states).
        states: P(state | votes) of each task, (tasks, states).
        evidence: log P(votes of the task).
    """

    tasks: Int[np.ndarray, "tasks"]
    rows: slice
    starts: Int[np.ndarray, "tasks"]
    alone: Float[np.ndarray, "votes states"]
    vote: Float[np.ndarray, "votes states"]
    states: Float[np.ndarray, "tasks states"]
    evidence: Float[np.ndarray, "tasks"]


class StateFit:
    """The estimates of a `RobustDawidSkene`, improved step by step."""

    def __init__(self, votes: CrowdVotes, known: Int[np.ndarray, "tasks"], states: TaskStates, strength: float) -> None:
        self.votes, self.known, self.states, self.strength = votes, known, states, strength
        self.parents: Parents | None = None
        n, k = len(votes.annotators), len(votes.classes)
        key = votes.annotator * k + votes.label
        self._by_answer = csr_matrix((votes.weight, (key, np.arange(len(votes)))), shape=(n * k, len(votes)))
        self._voted = np.flatnonzero(np.diff(votes.offsets))
        self.posterior = np.empty((len(votes.tasks), k))
        self.clear = np.empty(len(votes.tasks))

    def begin(self, posterior: Float[np.ndarray, "tasks classes"]) -> None:
        """Tables and shares from a first guess at the labels."""
        clamp(posterior, self.known)
        self.share = np.full(self.states.levels, 1 / self.states.levels)
        self.prior = self._smoothed(posterior.sum(axis=0))
        self._make_tables(posterior[self.votes.task])
        self.accuracy = np.zeros(len(self.votes.annotators))

    def run(self, n_iter: int, tol: float) -> int:
        """Steps until nothing changes by more than `tol`; returns their number."""
        for step in range(1, n_iter + 1):
            if self._step() <= tol:
                return step
        return n_iter

    def pieces(self) -> Iterator[Piece]:
        """All tasks with votes, under the current estimates."""
        votes, states = self.votes, self.states
        log_joint = self._log_priors()
        most = max(1, CELLS // len(states.guess))
        offsets = votes.offsets
        first = 0
        while first < len(self._voted):
            begin = offsets[self._voted[first]]
            last = max(first + 1, int(np.searchsorted(offsets[self._voted + 1], begin + most, side="right")))
            tasks = self._voted[first:last]
            rows = slice(int(begin), int(offsets[tasks[-1] + 1]))
            alone = self._alone(rows)
            vote = alone if self.parents is None else self._repeated(rows, alone)
            starts = offsets[tasks] - rows.start
            log = np.add.reduceat(np.log(vote) * votes.weight[rows, None], starts)
            log += log_joint[self.known[tasks]]
            evidence = softmax_rows(log)
            yield Piece(tasks, rows, starts, alone, vote, log, evidence)
            first = last

    def _step(self) -> float:
        votes, states = self.votes, self.states
        k = len(votes.classes)
        truth = states.joint(self.prior, self.share)
        truth /= np.maximum(truth.sum(axis=1, keepdims=True), 1e-300)
        responsible = np.empty((len(votes), k))
        level = np.zeros(states.levels)
        self.posterior[:], self.clear[:] = self.prior, self.share[0]
        for piece in self.pieces():
            of_vote = np.repeat(piece.states, np.diff(piece.starts, append=piece.rows.stop - piece.rows.start), axis=0)
            if self.parents is not None:
                of_vote *= (1 - self.parents.rate[piece.rows, None]) / piece.vote
            else:
                of_vote /= piece.alone
            answer = self.table[votes.annotator[piece.rows], :, votes.label[piece.rows]]
            responsible[piece.rows] = (of_vote @ states.mix) * answer
            self.posterior[piece.tasks] = piece.states @ truth
            level += np.bincount(states.level, piece.states.sum(axis=0), states.levels)
            self.clear[piece.tasks] = piece.states[:, states.level == 0].sum(axis=1)
        clamp(self.posterior, self.known)
        self._make_tables(responsible)
        before = self.accuracy, self.share
        right = votes.weight * self.posterior[votes.task, votes.label]
        self.accuracy = np.bincount(votes.annotator, right, len(votes.annotators)) / np.maximum(votes.answered, FLOOR)
        self.share = self._smoothed(level)
        self.prior = self._smoothed(self.posterior[self._voted].sum(axis=0))
        return max(float(np.abs(self.accuracy - before[0]).max()), float(np.abs(self.share - before[1]).max()))

    def _alone(self, rows: slice) -> Float[np.ndarray, "votes states"]:
        answer = self.table[self.votes.annotator[rows], :, self.votes.label[rows]]
        return np.asarray(np.maximum(answer @ self.states.mix.T + self.states.guess / len(self.votes.classes), FLOOR))

    def _repeated(self, rows: slice, alone: Float[np.ndarray, "votes states"]) -> Float[np.ndarray, "votes states"]:
        """Of a vote that repeats another with some probability, given that other."""
        assert self.parents is not None
        row, rate = self.parents.row[rows], self.parents.rate[rows, None]
        same = (row >= 0) & (self.votes.label[np.maximum(row, 0)] == self.votes.label[rows])
        mixed = np.maximum((1 - rate) * alone + rate * same[:, None], FLOOR)
        return np.asarray(np.where(row[:, None] >= 0, mixed, alone))

    def _make_tables(self, responsible: Float[np.ndarray, "rows classes"]) -> None:
        """Tables of confusions from how much of each vote speaks of which row."""
        n, k = len(self.votes.annotators), len(self.votes.classes)
        counts = (self._by_answer @ responsible).reshape(n, k, k)  # annotator, answer, right class
        alpha = counts + self.strength * crowd_table(counts)
        total = alpha.sum(axis=1, keepdims=True)
        self.mean_table = (alpha / total).transpose(0, 2, 1)
        self.table = np.maximum(np.exp(digamma(alpha) - digamma(total)), FLOOR).transpose(0, 2, 1)

    def _log_priors(self) -> Float[np.ndarray, "classes_plus_one states"]:
        """Log P(state) where class c is known to be right, and last where none is."""
        joint = self.states.joint(self.prior, self.share)
        return np.asarray(np.log(np.maximum(np.concatenate([joint.T, joint.sum(axis=1)[None]]), 1e-300)))

    @staticmethod
    def _smoothed(mass: Float[np.ndarray, "n"]) -> Float[np.ndarray, "n"]:
        return np.asarray((mass + 1) / (mass.sum() + len(mass)))

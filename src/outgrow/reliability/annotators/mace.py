"""MACE: an annotator either knows a task's label or answers by a habit (Hovy et al., NAACL 2013)."""

from __future__ import annotations

import numpy as np

from outgrow.core.arrays import Float, Int
from outgrow.core.errors import ConfigError
from outgrow.reliability.annotators.base import AnnotatorModel, clamp, expected_log, refuse_many, softmax_rows
from outgrow.reliability.annotators.crowd import CrowdVotes
from outgrow.reliability.annotators.dawid_skene import expected_accuracy


class MACE(AnnotatorModel):
    """P(a says l | right is k) = knows_a [l = k] + (1 - knows_a) habit_a[l]; classes are equally likely beforehand.

    Args:
        n_iter: iterations of every restart.
        restarts: random starts, of which the likeliest is kept.
        variational: variational Bayes with Beta and Dirichlet priors; else EM with a little smoothing.
        alpha: prior of not knowing, variational.
        beta: prior of knowing, variational.
        habit_prior: of every label in a habit, variational.
        seed: of the starts; every restart has another.

    Attributes:
        knows_: P(annotator knows) of every annotator.
        habit_: (annotators, classes), what is said without knowing.
        log_likelihood_: of the votes.
    """

    def __init__(
        self,
        n_iter: int = 50,
        restarts: int = 10,
        variational: bool = True,
        alpha: float = 0.5,
        beta: float = 0.5,
        habit_prior: float = 10.0,
        seed: int = 0,
    ) -> None:
        self.n_iter = n_iter
        self.restarts = restarts
        self.variational = variational
        self.alpha = alpha
        self.beta = beta
        self.habit_prior = habit_prior
        self.seed = seed

    def _fit(self, votes: CrowdVotes, known: Int[np.ndarray, "tasks"], start: AnnotatorModel | None) -> None:
        refuse_many(votes, "MACE")
        if self.restarts < 1:
            raise ConfigError(f"restarts must be at least 1, not {self.restarts!r}")
        best: tuple[float, Float[np.ndarray, "annotators 2"], Float[np.ndarray, "annotators classes"]] | None = None
        for restart in range(1 if isinstance(start, MACE) else self.restarts):
            habit, knows = self._start(votes, restart, start)
            likelihood, posterior = self._labels(votes, knows, habit, known)
            for _ in range(self.n_iter):
                knows, habit = self._tables(votes, posterior, knows, habit)
                likelihood, posterior = self._labels(votes, knows, habit, known)
            if best is None or likelihood > best[0]:
                best = (likelihood, knows, habit)
        assert best is not None
        self.log_likelihood_, knows, self.habit_ = best
        self.knows_, self.n_iter_ = knows[:, 1], self.n_iter
        _, self.posterior_ = self._labels(votes, knows, self.habit_, known)
        self.accuracy_ = expected_accuracy(votes, self.posterior_)

    def _start(
        self, votes: CrowdVotes, restart: int, start: AnnotatorModel | None
    ) -> tuple[Float[np.ndarray, "annotators classes"], Float[np.ndarray, "annotators 2"]]:
        n, k = len(votes.annotators), len(votes.classes)
        if isinstance(start, MACE) and start.votes_.classes.equals(votes.classes):
            place = {name: i for i, name in enumerate(start.votes_.annotators.to_pylist())}
            at = np.array([place.get(name, -1) for name in votes.annotators.to_pylist()])
            knows = np.where(at >= 0, start.knows_[at], start.knows_.mean())
            habit = np.where(at[:, None] >= 0, start.habit_[at], start.habit_.mean(axis=0))
            return habit, np.stack([1 - knows, knows], axis=1)
        # as crowd-kit draws them, from the same generator
        knows = np.random.RandomState(self.seed + restart).uniform(1, 2.5, size=(n, 2))
        habit = np.random.RandomState(self.seed + restart).uniform(1, 2.5, size=(n, k))
        return habit / habit.sum(axis=1, keepdims=True), knows / knows.sum(axis=1, keepdims=True)

    def _labels(
        self,
        votes: CrowdVotes,
        knows: Float[np.ndarray, "annotators 2"],
        habit: Float[np.ndarray, "annotators classes"],
        known: Int[np.ndarray, "tasks"],
    ) -> tuple[float, Float[np.ndarray, "tasks classes"]]:
        """Log-likelihood of the votes and P(class) of every task."""
        guess = np.maximum(knows[:, :1] * habit, 1e-300)
        n, k = guess.shape
        table = np.broadcast_to(np.log(guess)[:, :, None], (n, k, k)).copy()  # annotator, answer, right class
        at = np.arange(k)
        table[:, at, at] = np.log(guess + knows[:, 1:])
        posterior = votes.incidence @ table.reshape(n * k, k) - np.log(k)
        likelihood = float(softmax_rows(posterior).sum())
        clamp(posterior, known)
        return likelihood, posterior

    def _tables(
        self,
        votes: CrowdVotes,
        posterior: Float[np.ndarray, "tasks classes"],
        knows: Float[np.ndarray, "annotators 2"],
        habit: Float[np.ndarray, "annotators classes"],
    ) -> tuple[Float[np.ndarray, "annotators 2"], Float[np.ndarray, "annotators classes"]]:
        """Who knows, and what is said without knowing, from how often each answer was known or a habit."""
        guess = knows[votes.annotator, 0] * habit[votes.annotator, votes.label]
        right = posterior[votes.task, votes.label]
        aware = right * knows[votes.annotator, 1] / np.maximum(guess + knows[votes.annotator, 1], 1e-300)
        n, k = habit.shape
        key = votes.annotator * k + votes.label
        habits = np.bincount(key, votes.weight * (1 - aware), n * k).reshape(n, k)
        knowing = np.bincount(votes.annotator, votes.weight * aware, n)
        counts = np.stack([habits.sum(axis=1), knowing], axis=1)
        if not self.variational:
            smoothing = 0.01 / k
            counts, habits = counts + smoothing, habits + smoothing
            return counts / counts.sum(axis=1, keepdims=True), habits / habits.sum(axis=1, keepdims=True)
        return expected_log(counts + np.array([self.alpha, self.beta])), expected_log(habits + self.habit_prior)

"""Dawid and Skene's model: a table of confusions per annotator (1979), by EM or variational Bayes."""

from __future__ import annotations

import numpy as np

from outgrow.core.arrays import Float, Int
from outgrow.core.errors import ConfigError
from outgrow.reliability.annotators.base import TINY, AnnotatorModel, clamp, expected_log, refuse_many, softmax_rows
from outgrow.reliability.annotators.crowd import CrowdVotes
from outgrow.reliability.annotators.warm_start import carried_over

ALIKE = 100.0
"""Answers' worth by which classes are taken to be alike for the crowd as a whole."""


class DawidSkene(AnnotatorModel):
    """P(annotator says l | right is k), one table per annotator; labels and tables are estimated in turns.

    Its one assumption is that annotators err independently of each other given the right label. Tasks that are hard
    for all, and annotators who copy, break it, and its probabilities are then too sure: see `RobustDawidSkene`.

    Args:
        n_iter: iterations at most.
        tol: stop when the mean log-likelihood of a vote rises by less; below 0: never.
        prior: how many answers' worth each row of a table is drawn to the row of the whole crowd; 0: maximum
            likelihood, as published.
        variational: average over tables (variational Bayes with that prior) instead of taking the likeliest one.

    Attributes:
        prior_: P(class), (classes,).
        confusion_: (annotators, classes, classes), `[a, k, l]` = P(a says l | k is right).
        log_likelihood_: of the votes, after the last iteration (variational: under the averaged tables).
    """

    def __init__(self, n_iter: int = 100, tol: float = 1e-5, prior: float = 1.0, variational: bool = False) -> None:
        self.n_iter = n_iter
        self.tol = tol
        self.prior = prior
        self.variational = variational

    def _fit(self, votes: CrowdVotes, known: Int[np.ndarray, "tasks"], start: AnnotatorModel | None) -> None:
        refuse_many(votes, "Dawid-Skene")
        if self.prior < 0 or (self.variational and self.prior == 0):
            raise ConfigError(f"prior must be at least 0, and above 0 if variational; not {self.prior!r}")
        given = votes.incidence
        by_answer = given.T.tocsr()
        weight = float(votes.weight.sum())
        posterior = first_posterior(votes, start)
        clamp(posterior, known)
        before = -np.inf
        for step in range(self.n_iter):
            self.n_iter_ = step + 1
            prior, table = self._tables(votes, posterior, by_answer @ posterior)
            posterior = given @ np.log(np.maximum(table, TINY))
            posterior += np.log(np.maximum(prior, TINY))
            likelihood = float(softmax_rows(posterior).sum()) / weight
            clamp(posterior, known)
            if likelihood - before < self.tol:
                break
            before = likelihood
        self.posterior_, self.log_likelihood_ = posterior, likelihood * weight
        self.prior_, table = self._tables(votes, posterior, by_answer @ posterior, mean=True)
        k = len(votes.classes)
        self.confusion_ = table.reshape(len(votes.annotators), k, k).transpose(0, 2, 1)
        self.accuracy_ = expected_accuracy(votes, posterior)

    def _tables(
        self,
        votes: CrowdVotes,
        posterior: Float[np.ndarray, "tasks classes"],
        counts: Float[np.ndarray, "pairs classes"],
        *,
        mean: bool = False,
    ) -> tuple[Float[np.ndarray, "classes"], Float[np.ndarray, "pairs classes"]]:
        """P(class), and P(answer | class) of every annotator, a row per pair of annotator and answer."""
        n, k = len(votes.annotators), len(votes.classes)
        counts = counts.reshape(n, k, k)  # annotator, answer, right class
        prior = posterior.mean(axis=0)
        if self.prior == 0:
            # as crowd-kit has it: a label that an annotator uses at all has a chance in every row
            used = np.bincount(votes.annotator * k + votes.label, minlength=n * k).reshape(n, k, 1) > 0
            counts = np.where(used, np.maximum(counts, TINY), 0.0)
            return prior, (counts / np.maximum(counts.sum(axis=1, keepdims=True), TINY)).reshape(n * k, k)
        alpha = counts + self.prior * crowd_table(counts)
        if mean or not self.variational:
            return prior, (alpha / alpha.sum(axis=1, keepdims=True)).reshape(n * k, k)
        return prior, expected_log(alpha).reshape(n * k, k)


def crowd_table(counts: Float[np.ndarray, "annotators answers classes"]) -> Float[np.ndarray, "answers classes"]:
    """What the crowd as a whole answers to each class, `ALIKE` answers' worth drawn to what it answers to any class.

    Without that a rare class becomes a place for tasks that nobody answers well: its row flattens, takes them in, and
    its share grows at the cost of the others'.
    """
    total = counts.sum(axis=0) + 1 / counts.shape[1]
    k = len(total)
    right = np.trace(total) / total.sum()
    any_class = np.where(np.eye(k, dtype=bool), right, (1 - right) / max(k - 1, 1))
    total += ALIKE * any_class
    return np.asarray(total / total.sum(axis=0))


def first_posterior(votes: CrowdVotes, start: AnnotatorModel | None) -> Float[np.ndarray, "tasks classes"]:
    """Where to begin: shares of the votes, or what a fitted model's labels of the same tasks were.

    Tasks that the model does not know begin with shares of votes that count by its estimates of accuracy.
    """
    shares = votes.shares.toarray()
    empty = np.diff(votes.offsets) == 0
    shares[empty] = 1 / shares.shape[1]
    if start is None:
        return np.asarray(shares)
    return carried_over(votes, start, shares)


def expected_accuracy(
    votes: CrowdVotes, posterior: Float[np.ndarray, "tasks classes"]
) -> Float[np.ndarray, "annotators"]:
    """Of every annotator, the share of answers that are right in expectation."""
    right = votes.weight * posterior[votes.task, votes.label]
    return np.asarray(np.bincount(votes.annotator, right, len(votes.annotators)) / np.maximum(votes.answered, 1e-12))

"""One number per annotator: how often the answer is right, whatever is asked."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from outgrow.core.arrays import Float, Int
from outgrow.core.errors import ConfigError
from outgrow.reliability.annotators.base import TINY, AnnotatorModel
from outgrow.reliability.annotators.crowd import CrowdVotes
from outgrow.reliability.annotators.warm_start import carried_accuracy
from outgrow.reliability.annotators.weighted_vote import clamped


class OneCoin(AnnotatorModel):
    """An annotator is right with probability s and else says one of the other labels at random (Zhang et al. 2016).

    Nothing is kept per class, so it also serves free answers, of which there are as many as tasks.

    Args:
        n_iter: iterations at most.
        tol: stop when no annotator's s changes by more; below 0: never.
        prior: how many answers' worth s is drawn to that of the whole crowd; 0: maximum likelihood, as published.
        options: how many labels a task has to choose from; None: the classes that occur anywhere.

    Attributes:
        posterior_: sparse, (tasks, classes): of labels that were given. A row may sum to less than 1:
        elsewhere_: P(the right label is one that nobody gave) of every task.
        prior_: P(class).
    """

    posterior_: csr_matrix

    def __init__(self, n_iter: int = 100, tol: float = 1e-6, prior: float = 1.0, options: int | None = None) -> None:
        self.n_iter = n_iter
        self.tol = tol
        self.prior = prior
        self.options = options

    def _fit(self, votes: CrowdVotes, known: Int[np.ndarray, "tasks"], start: AnnotatorModel | None) -> None:
        k = len(votes.classes) if self.options is None else self.options
        most = int(np.diff(votes.shares.indptr).max())
        if k < max(2, most):
            raise ConfigError(f"options: {k}, but a task has {most} different labels; it must be at least 2 and that")
        posterior = clamped(votes.shares, known)
        unseen = self.elsewhere_ = np.zeros(len(votes.tasks))
        prior = self._prior(posterior, unseen, np.zeros(len(votes.classes)), k)
        accuracy = self._accuracy(votes, posterior) if start is None else carried_accuracy(votes, start)
        for step in range(self.n_iter):
            self.n_iter_ = step + 1
            posterior, unseen = self._posterior(votes, accuracy, prior, known, k)
            before, accuracy = accuracy, self._accuracy(votes, posterior)
            prior = self._prior(posterior, unseen, prior, k)
            if np.abs(accuracy - before).max() <= self.tol:
                break
        self.posterior_, self.prior_, self.accuracy_ = posterior, prior, accuracy

    def _prior(
        self,
        posterior: csr_matrix,
        unseen: Float[np.ndarray, "tasks"],
        prior: Float[np.ndarray, "classes"],
        k: int,
    ) -> Float[np.ndarray, "classes"]:
        """P(class); of labels that are options of their own tasks alone, all alike.

        Args:
            posterior: of labels that were given.
            unseen: P(class is none that the task's votes name), before the votes.
            prior: by which `elsewhere_` is spread over these classes.
            k: how many labels a task has to choose from.
        """
        n = posterior.shape[1]
        if self.options is not None:
            return np.full(n, 1 / k)
        rate = np.divide(self.elsewhere_, unseen, out=np.zeros(len(unseen)), where=unseen > 0)
        task = np.repeat(np.arange(len(unseen)), np.diff(posterior.indptr))
        elsewhere = prior * (rate.sum() - np.bincount(posterior.indices, rate[task], n))
        mass = np.asarray(posterior.sum(axis=0)).ravel() + np.maximum(elsewhere, 0)
        return np.asarray(mass / mass.sum())

    def _accuracy(self, votes: CrowdVotes, posterior: csr_matrix) -> Float[np.ndarray, "annotators"]:
        right = votes.weight * np.asarray(posterior[votes.task, votes.label]).ravel()
        of_each = np.bincount(votes.annotator, right, len(votes.annotators))
        whole = (of_each.sum() + 0.5) / (votes.weight.sum() + 1)
        if self.prior == 0:
            return np.asarray(of_each / np.maximum(votes.answered, TINY))
        return np.asarray((of_each + self.prior * whole) / (votes.answered + self.prior))

    def _posterior(
        self,
        votes: CrowdVotes,
        accuracy: Float[np.ndarray, "annotators"],
        prior: Float[np.ndarray, "classes"],
        known: Int[np.ndarray, "tasks"],
        k: int,
    ) -> tuple[csr_matrix, Float[np.ndarray, "tasks"]]:
        """P(label) of those given to each task (the rest is put into `elsewhere_`), and P(none of them) before."""
        right = np.log(np.clip(accuracy, TINY, 1 - TINY))[votes.annotator]
        wrong = np.log(np.clip((1 - accuracy) / (k - 1), TINY, 1 - TINY))[votes.annotator]
        n = len(votes.tasks)
        base = np.bincount(votes.task, votes.weight * wrong, n)  # as if nobody were right
        pattern = votes.shares
        gain = csr_matrix((votes.weight * (right - wrong), votes.label, votes.offsets), shape=pattern.shape).copy()
        gain.sum_duplicates()
        task = np.repeat(np.arange(n), np.diff(gain.indptr))
        log = gain.data + base[task] + np.log(np.maximum(prior[gain.indices], TINY))
        unseen = np.maximum(1 - np.bincount(task, prior[gain.indices], n), 0)
        unseen[unseen < TINY] = 0
        rest = base + np.log(np.maximum(unseen, 1e-300))
        top = rest.copy()
        np.maximum.at(top, task, log)
        p, elsewhere = np.exp(log - top[task]), np.where(unseen > 0, np.exp(rest - top), 0)
        total = np.bincount(task, p, n) + elsewhere
        total[total == 0] = 1.0
        self.elsewhere_ = np.where(known >= 0, 0.0, elsewhere / total)
        posterior = csr_matrix((p / total[task], gain.indices, gain.indptr), shape=gain.shape)
        return clamped(posterior, known), unseen

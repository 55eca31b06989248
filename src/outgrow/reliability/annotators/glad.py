"""GLAD: annotators have an ability, tasks a difficulty (Whitehill et al., NeurIPS 2009)."""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit

from outgrow.core.arrays import Float, Int
from outgrow.reliability.annotators.base import AnnotatorModel, clamp, refuse_many, softmax_rows
from outgrow.reliability.annotators.crowd import CrowdVotes
from outgrow.reliability.annotators.dawid_skene import expected_accuracy, first_posterior


class GLAD(AnnotatorModel):
    """P(a is right on t) = sigmoid(ability_a exp(ease_t)); wrong answers are spread evenly.

    Abilities and eases have normal priors around 1 (variance 1). Classes are equally likely beforehand.

    Args:
        n_iter: iterations at most.
        tol: stop when the objective rises by less per vote and class; below 0: never.
        m_iter: steps of the conjugate gradients within one iteration, at most.
        m_tol: their tolerance.

    Attributes:
        ability_: of every annotator; below 0: mostly wrong.
        ease_: of every task, the logarithm of its inverse difficulty.
    """

    def __init__(self, n_iter: int = 100, tol: float = 1e-5, m_iter: int = 25, m_tol: float = 1e-2) -> None:
        self.n_iter = n_iter
        self.tol = tol
        self.m_iter = m_iter
        self.m_tol = m_tol

    def _fit(self, votes: CrowdVotes, known: Int[np.ndarray, "tasks"], start: AnnotatorModel | None) -> None:
        refuse_many(votes, "GLAD")
        n, k = len(votes.annotators), len(votes.classes)
        x = np.ones(n + len(votes.tasks))
        posterior = first_posterior(votes, start) if start is not None else self._labels(votes, x, known)
        before = -np.inf
        for step in range(1, self.n_iter + 1):
            if step > 1 or start is None:
                posterior = self._labels(votes, x, known)
            right = posterior[votes.task, votes.label]
            solved = minimize(
                _objective, x, args=(votes, right), jac=True, method="CG", tol=self.m_tol,
                options={"maxiter": self.m_iter},
            )  # fmt: skip
            x, value = solved.x, -float(solved.fun) / (len(votes) * k)
            if value - before < self.tol:
                break
            before = value
        self.posterior_, self.n_iter_ = posterior, step
        self.ability_, self.ease_ = x[:n], x[n:]
        self.accuracy_ = expected_accuracy(votes, posterior)

    def _labels(
        self, votes: CrowdVotes, x: Float[np.ndarray, "parameters"], known: Int[np.ndarray, "tasks"]
    ) -> Float[np.ndarray, "tasks classes"]:
        k = len(votes.classes)
        strength = x[: len(votes.annotators)][votes.annotator] * np.exp(x[len(votes.annotators) :])[votes.task]
        wrong = -np.logaddexp(0, strength) - np.log(k - 1) if k > 1 else np.zeros(len(votes))
        gain = -np.logaddexp(0, -strength) - wrong
        key = votes.task * k + votes.label
        log = np.bincount(key, votes.weight * gain, len(votes.tasks) * k).reshape(-1, k)
        log += np.bincount(votes.task, votes.weight * wrong, len(votes.tasks))[:, None]
        softmax_rows(log)
        clamp(log, known)
        return log


def _objective(
    x: Float[np.ndarray, "parameters"], votes: CrowdVotes, right: Float[np.ndarray, "rows"]
) -> tuple[float, Float[np.ndarray, "parameters"]]:
    """Minus the expected log-likelihood with priors, and its gradient by abilities and eases."""
    n, k = len(votes.annotators), len(votes.classes)
    ability, ease = x[:n], x[n:]
    scale = np.exp(ease)[votes.task]
    strength = ability[votes.annotator] * scale
    expected = -right * np.logaddexp(0, -strength)
    if k > 1:
        expected -= (1 - right) * (np.logaddexp(0, strength) + np.log(k - 1))
    value = votes.weight @ expected - 0.5 * ((x - 1) ** 2).sum() - 0.5 * len(x) * np.log(2 * np.pi)
    slope = votes.weight * (right - expit(strength)) * scale
    by_ability = np.bincount(votes.annotator, slope, n)
    by_ease = np.bincount(votes.task, slope * ability[votes.annotator], len(ease))
    return -float(value), -(np.concatenate([by_ability, by_ease]) - (x - 1))

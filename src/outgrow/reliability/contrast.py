"""Contrast-consistent search: which option is true, read off hidden states without labels (arXiv 2212.03827)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from outgrow.core.arrays import Float, Int
from outgrow.core.errors import DataError

OptionStates = Float[np.ndarray, "n options width"]
AnyStates = Float[np.ndarray, "n *options width"]
Truths = Float[np.ndarray, "n options"]


@dataclass(frozen=True)
class ContrastProbe:
    """P(true) of each option, a logistic function of its hidden state from which the mean of its place was taken away.

    Attributes:
        mean: states of the first options, of the second ones, ... in the mean.
        weight: one row.
        bias: one number.
    """

    mean: Float[np.ndarray, "options width"]
    weight: Float[np.ndarray, "1 width"]
    bias: Float[np.ndarray, "1"]

    def truths(self, states: OptionStates) -> Truths:
        """P(true) of each option; those of a question need not sum to 1."""
        from scipy.special import expit

        found: Truths = expit(((states.astype(np.float64) - self.mean) @ self.weight.T + self.bias)[..., 0])
        return found

    def logs(self, states: OptionStates) -> Truths:
        """Natural-log probabilities of the options: what is missing to 1 is shared equally.

        With two options the first has `(p1 + 1 - p2) / 2`, as published.
        """
        truths = self.truths(states)
        shares = truths + (1 - truths.sum(axis=1, keepdims=True)) / truths.shape[1]
        shares = np.maximum(shares, 1e-12)
        logs: Truths = np.log(shares / shares.sum(axis=1, keepdims=True))
        return logs


def contrast_loss(truths: Truths) -> float:
    """`mean (1 - sum_k p_k)^2 + mean of sum p_k^2 over all options but the most probable`.

    Two options: `mean (p1 - (1 - p2))^2 + mean min(p1, p2)^2`, as published; more are ours.
    """
    return float(_loss(truths)[0])


def contrast_consistent(
    states: OptionStates, said: Int[np.ndarray, "n"], *, c: float = 1.0, starts: int = 10, seed: int = 0
) -> ContrastProbe:
    """The best of several probes from random weights; what is said only tells true from false.

    Of two options the loss cannot say which is the true one. The sign is taken that agrees with more of `said`, where
    public code takes the one that agrees with gold.

    Args:
        states: hidden states of each question's options, each read behind its question.
        said: place of an answer among the options, right or not.
        c: inverse strength of the L2 penalty, as scikit-learn has it, on states scaled to a mean squared length of
            their width.
        starts: how many are tried.
        seed: of their weights.

    Raises:
        DataError: no states, or a single option.
    """
    from scipy.optimize import minimize

    count, options, width = states.shape
    if not count or options < 2:
        raise DataError(f"contrast-consistent search needs two options a question; found {count} with {options}")
    mean = states.mean(axis=0, dtype=np.float64)
    centred = states.astype(np.float64) - mean
    scale = float(np.sqrt(np.mean(centred**2))) or 1.0
    flat, rng = (centred / scale).reshape(-1, width), np.random.default_rng(seed)

    def penalised(x: Float[np.ndarray, "size"]) -> tuple[float, Float[np.ndarray, "size"]]:
        from scipy.special import expit

        truths = expit(flat @ x[1:] + x[0]).reshape(count, options)
        loss, slope = _loss(truths)
        back = (slope * truths * (1 - truths)).ravel()
        gradient = np.concatenate([[back.sum()], back @ flat + x[1:] / (c * count)])
        return loss + float(x[1:] @ x[1:]) / (2 * c * count), gradient

    first = rng.normal(size=(starts, 1 + width)) / np.sqrt(width)
    found: list[Any] = [minimize(penalised, x, jac=True, method="L-BFGS-B", options={"maxiter": 1000}) for x in first]
    best = min(found, key=lambda each: float(each.fun)).x
    probe = ContrastProbe(mean, best[None, 1:] / scale, best[:1])
    if options == 2 and (probe.truths(states).argmax(axis=1) == said).mean() < 0.5:
        probe = ContrastProbe(mean, -probe.weight, -probe.bias)
    return probe


def _loss(truths: Truths) -> tuple[float, Truths]:
    """The loss, and its slope in each probability."""
    excess = truths.sum(axis=1, keepdims=True) - 1
    rest = truths * (np.arange(truths.shape[1]) != truths.argmax(axis=1)[:, None])
    loss = float((excess**2).mean() + (rest**2).sum(axis=1).mean())
    return loss, 2 * (excess + rest) / len(truths)

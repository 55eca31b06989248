"""Classes read off hidden states: linear probes fitted to labels that may be wrong, and what neighbours say."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from outgrow.core.arrays import Bool, Float, Int
from outgrow.core.errors import DataError

States = Float[np.ndarray, "n width"]
Shares = Float[np.ndarray, "n classes"]


@dataclass(frozen=True)
class LinearProbe:
    """Scores of classes that are linear in hidden states from which `mean` was taken away.

    Attributes:
        mean: of the states it was fitted to.
        weight: one row per class.
        bias: one per class.
        unit: scale each state to length 1 first.
    """

    mean: Float[np.ndarray, "width"]
    weight: Float[np.ndarray, "classes width"]
    bias: Float[np.ndarray, "classes"]
    unit: bool = False

    def logs(self, states: States) -> Shares:
        """Natural-log probabilities of the classes."""
        from scipy.special import log_softmax

        logs: Shares = log_softmax(_centred(states, self.mean, unit=self.unit) @ self.weight.T + self.bias, axis=1)
        return logs


Fit = Callable[[States, Shares], LinearProbe]


def nearest_centroid(states: States, shares: Shares, *, temperature: float = 0.05) -> LinearProbe:
    """The class whose mean direction is nearest by cosine, states taken from their common mean.

    With noise that depends on the class alone a centroid moves towards the others and not away from its own, so the
    nearest stays the right one as long as every class's labels are mostly right.

    Args:
        states: hidden states.
        shares: probability of each class in the label of each state; hard labels are 0 and 1.
        temperature: cosines are divided by it before softmax; it does not move the nearest.

    Raises:
        DataError: there are no states.
    """
    _some(states)
    mean = states.mean(axis=0, dtype=np.float64)
    sums = shares.T @ _centred(states, mean, unit=True)
    length = np.linalg.norm(sums, axis=1, keepdims=True)
    bias = np.where(shares.sum(axis=0) > 0, 0.0, -np.inf)  # a class nobody has is never the nearest
    return LinearProbe(mean, sums / np.maximum(length, 1e-12) / temperature, bias, unit=True)


def logistic(states: States, shares: Shares, *, c: float = 1.0) -> LinearProbe:
    """Multinomial logistic regression with an L2 penalty, on states scaled to a mean squared length of their width.

    Args:
        states: hidden states.
        shares: as for `nearest_centroid`; soft labels count as several rows with weights.
        c: inverse strength of the penalty, as scikit-learn has it.

    Raises:
        DataError: there are no states.
    """
    from sklearn.linear_model import LogisticRegression

    _some(states)
    mean = states.mean(axis=0, dtype=np.float64)
    centred = _centred(states, mean, unit=False)
    scale = float(np.sqrt(np.mean(centred**2))) or 1.0
    row, column = np.nonzero(shares)
    bias, weight = np.full(shares.shape[1], -np.inf), np.zeros((shares.shape[1], states.shape[1]))
    present = np.unique(column)
    if len(present) == 1:
        bias[present] = 0.0
        return LinearProbe(mean, weight, bias)
    model = LogisticRegression(C=c, max_iter=2000, tol=1e-8)  # the usual 1e-4 stops elsewhere on other processors
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes")  # many for few rows; they are classes still
        model.fit(centred[row] / scale, column, sample_weight=shares[row, column])
    two = len(present) == 2
    weight[present] = (np.concatenate([-model.coef_, model.coef_]) / 2 if two else model.coef_) / scale
    bias[present] = np.concatenate([-model.intercept_, model.intercept_]) / 2 if two else model.intercept_
    return LinearProbe(mean, weight, bias)


def out_of_fold(fit: Fit, states: States, shares: Shares, folds: Int[np.ndarray, "n"]) -> Shares:
    """Probabilities of each state's classes by a probe that was fitted to the other folds.

    Args:
        fit: `nearest_centroid`, `logistic` or the like.
        states: hidden states.
        shares: labels of all of them.
        folds: number of each state's fold; at least two differ.

    Raises:
        DataError: all are in one fold.
    """
    if len(np.unique(folds)) < 2:
        raise DataError(f"predicting out of fold takes two folds, and all {len(folds)} rows are in one")
    found = np.zeros_like(shares, dtype=np.float64)
    for fold in np.unique(folds):
        here = folds == fold
        found[here] = np.exp(fit(states[~here], shares[~here]).logs(states[here]))
    return found


def neighbours(states: States, k: int) -> Int[np.ndarray, "n k"]:
    """The k other states nearest by cosine, once their common mean is taken away; all others where there are fewer."""
    from sklearn.neighbors import NearestNeighbors

    centred = _centred(states, states.mean(axis=0, dtype=np.float64), unit=True)
    near = NearestNeighbors(n_neighbors=min(k, len(states) - 1), algorithm="brute").fit(centred)
    found: Int[np.ndarray, "n k"] = near.kneighbors(return_distance=False)  # of other states than their own
    return found


def neighbour_shares(states: States, shares: Shares, *, k: int = 50) -> Shares:
    """Mean label of the k nearest other states (EleutherAI/w2s takes 50)."""
    mean: Shares = shares[neighbours(states, k)].mean(axis=1)
    return mean


def topological_filter(states: States, labels: Int[np.ndarray, "n"], *, k: int = 50) -> Bool[np.ndarray, "n"]:
    """Which labels to keep: those in the largest connected part of their class (arXiv 2012.04835).

    States are joined to those of their k nearest others that have the same label; a wrong label is mostly cut off.

    Args:
        states: hidden states.
        labels: number of each state's class.
        k: neighbours.
    """
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import connected_components

    near = neighbours(states, k)
    row, other = np.repeat(np.arange(len(states)), near.shape[1]), near.ravel()
    same = labels[row] == labels[other]
    graph = coo_matrix((np.ones(same.sum()), (row[same], other[same])), shape=(len(states), len(states)))
    _, part = connected_components(graph, directed=False)
    keep = np.zeros(len(states), dtype=bool)
    for label in np.unique(labels):
        here = np.flatnonzero(labels == label)
        parts, counts = np.unique(part[here], return_counts=True)
        keep[here] = part[here] == parts[counts.argmax()]
    return keep


def _centred(states: States, mean: Float[np.ndarray, "width"], *, unit: bool) -> States:
    centred: States = states.astype(np.float64) - mean
    length = np.linalg.norm(centred, axis=1, keepdims=True) if unit else 1.0
    scaled: States = centred / np.maximum(length, 1e-12)
    return scaled


def _some(states: States) -> None:
    if not len(states):
        raise DataError("a probe needs hidden states with labels, and there are none")

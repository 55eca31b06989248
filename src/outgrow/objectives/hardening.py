"""Hardened predictions whose class shares are those of the weak labels (arXiv 2312.09390, footnote 7, for K classes).

The published form hardens the half of a batch with the higher probability to class 1. Here offsets b (K,) are added to
log-probabilities so that `argmax_k (ln p_k + b_k)` has the shares that the whole weak training set has.
"""

from __future__ import annotations

import numpy as np

from outgrow.core.arrays import Float, Int
from outgrow.objectives.base import Targets


def class_prior(targets: Targets) -> Float[np.ndarray, "classes"] | None:
    """Share of each class in the labels of the whole training set; None where rows do not share several options."""
    first = targets.options[0]
    if len(first) < 2 or any(options != first for options in targets.options):
        return None
    prior: Float[np.ndarray, "classes"] = np.average(targets.share, axis=0, weights=targets.weight)
    return prior


def class_counts(prior: Float[np.ndarray, "classes"], rows: int) -> Int[np.ndarray, "classes"]:
    """How many of `rows` each class gets: shares rounded down, the rest to the largest remainders."""
    exact = prior * rows
    counts = np.floor(exact + 1e-9).astype(np.int64)
    counts[np.argsort(counts - exact, kind="stable")[: rows - counts.sum()]] += 1
    return counts


def offsets(
    logs: Float[np.ndarray, "rows classes"], prior: Float[np.ndarray, "classes"]
) -> Float[np.ndarray, "classes"]:
    """Offsets under which the rows, hardened, have the class counts of the prior.

    The assignment with these counts and the highest sum of log-probabilities is found first; of all offsets that give
    it, the middle is taken. For two classes this is the midpoint of the two log-odds beside the quantile. Rows whose
    scores are equal tie, and `hardest` spreads them.

    Args:
        logs: natural-log probabilities.
        prior: wanted shares, sum 1.
    """
    from scipy.optimize import linear_sum_assignment

    counts = class_counts(prior, len(logs))
    slots = np.repeat(np.arange(len(prior)), counts)
    logs = np.maximum(logs.astype(np.float64), -1e4)
    rows, columns = linear_sum_assignment(logs[:, slots], maximize=True)
    own = np.empty(len(logs), np.int64)
    own[rows] = slots[columns]
    # b_j - b_k may be at most how far the rows of k are from j; the differences that follow are shortest paths.
    apart = np.full((len(prior), len(prior)), np.inf)
    np.minimum.at(apart, own, logs[np.arange(len(logs)), own][:, None] - logs)
    np.fill_diagonal(apart, 0.0)
    for k in range(len(prior)):
        apart = np.minimum(apart, apart[:, k : k + 1] + apart[k : k + 1, :])
    found = apart[counts > 0].mean(axis=0)  # each row is a solution at the edge of all, their mean lies inside
    within: Float[np.ndarray, "classes"] = np.where(counts > 0, found, found - 1.0)
    return within  # a class that gets none stays a nat below

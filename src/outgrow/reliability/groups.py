"""Sums and means within groups that are given as integer codes."""

from __future__ import annotations

import numpy as np

from outgrow.core.arrays import Float, Int


def group_sums(
    group: Int[np.ndarray, "rows"], x: Float[np.ndarray, "rows"], n_groups: int
) -> Float[np.ndarray, "groups"]:
    """Sum of `x` per group, added in row order."""
    return np.bincount(group, weights=x, minlength=n_groups).astype(np.float64)  # of no rows: integers


def group_means(
    group: Int[np.ndarray, "rows"], x: Float[np.ndarray, "rows"], n_groups: int
) -> Float[np.ndarray, "groups"]:
    """Mean of `x` per group, NaN values left out and NaN for a group without any.

    Values are added in ascending order, so the last bit does not depend on the order of rows.
    """
    use = np.flatnonzero(~np.isnan(x))
    order = use[np.lexsort((x[use], group[use]))]
    count = np.bincount(group[order], minlength=n_groups)
    total = group_sums(group[order], x[order], n_groups)
    return np.asarray(np.divide(total, count, out=np.full(n_groups, np.nan), where=count > 0))

"""Bradley and Terry's model of comparisons: every item has a strength (1952; MM algorithm of Hunter 2004)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from scipy.sparse import coo_matrix
from scipy.special import expit
from sklearn.base import BaseEstimator

from outgrow.core.arrays import Float
from outgrow.core.encoding import encode
from outgrow.core.errors import ConfigError, DataError


class BradleyTerry(BaseEstimator):  # type: ignore[misc]
    """P(i is preferred to j) = s_i / (s_i + s_j).

    Args:
        n_iter: iterations at most.
        tol: stop when the strengths (which sum to 1) change by less in all; below 0: never.
        prior: games of every item against one of middling strength, half won, that keep strengths finite where an
            item wins or loses all; 0: maximum likelihood, as published.

    Attributes:
        items_: names, sorted.
        strength_: of each, above 0, sum 1.
        n_iter_: iterations made.
    """

    def __init__(self, n_iter: int = 1000, tol: float = 1e-8, prior: float = 0.1) -> None:
        self.n_iter = n_iter
        self.tol = tol
        self.prior = prior

    def fit(self, pairs: pa.Table) -> BradleyTerry:
        """Estimate strengths.

        Args:
            pairs: columns `chosen` and `rejected` (names of items), and `weight` if comparisons count differently.

        Raises:
            DataError: no comparison, a negative weight, or an item against itself.
            ConfigError: a negative prior.
        """
        if self.prior < 0:
            raise ConfigError(f"prior must be at least 0, not {self.prior!r}")
        weight = np.asarray(pairs["weight"].to_numpy()) if "weight" in pairs.column_names else np.ones(len(pairs))
        if not len(weight) or not (np.isfinite(weight).all() and weight.min() >= 0 and weight.sum() > 0):
            raise DataError(f"{len(weight)} comparisons; there must be some, with weights of at least 0")
        both = encode(
            pa.chunked_array(
                [c for side in ("chosen", "rejected") for c in pairs[side].cast(pa.string()).chunks], pa.string()
            )
        )
        names = both.names.to_pylist()
        rank = np.argsort(np.argsort(np.array(names, dtype=object)))
        i, j = np.split(rank[both.codes], 2)
        if len(same := np.flatnonzero(i == j)):
            raise DataError(
                f"row {int(same[0]) + 1}: {pairs['chosen'][int(same[0])].as_py()!r} is compared with itself"
            )
        self.items_ = pa.array(sorted(names), pa.string())
        n = len(names)
        games = coo_matrix((weight, (np.minimum(i, j), np.maximum(i, j))), shape=(n, n))
        games.sum_duplicates()
        a, b, played = games.row, games.col, games.data
        wins = np.bincount(i, weight, n) + self.prior / 2
        strength, before = np.full(n, 1 / n), None
        for step in range(self.n_iter):
            self.n_iter_ = step + 1
            share = played / (strength[a] + strength[b])
            demand = np.bincount(a, share, n) + np.bincount(b, share, n) + self.prior / (strength + 1 / n)
            strength = wins / demand
            strength = strength / strength.sum()
            if before is not None and np.abs(strength - before).sum() < self.tol:
                break
            before = strength
        self.strength_ = strength
        return self

    def p_better(self, chosen: pa.ChunkedArray, rejected: pa.ChunkedArray) -> Float[np.ndarray, "pairs"]:
        """P(the first of each pair is preferred); NaN where an item was not fitted."""
        log = dict(zip(self.items_.to_pylist(), np.log(np.maximum(self.strength_, 1e-300)).tolist(), strict=True))
        ahead = [
            log.get(i, np.nan) - log.get(j, np.nan)
            for i, j in zip(chosen.to_pylist(), rejected.to_pylist(), strict=True)
        ]
        return np.asarray(expit(np.array(ahead, dtype=np.float64)))

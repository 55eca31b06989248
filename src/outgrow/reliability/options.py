"""What the option probabilities that came with the answers say about each consensus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.arrays import Float, Int
from outgrow.reliability.groups import group_means, group_sums
from outgrow.reliability.votes import Votes


@dataclass(frozen=True)
class OptionMeans:
    """Means over the answers of a question that have probabilities; NaN where none has or nothing is valid."""

    probability: Float[np.ndarray, "questions"]  # of the consensus
    margin: Float[np.ndarray, "questions"]  # the consensus minus the best other option


@dataclass(frozen=True)
class FlatMaps:
    """A map column taken apart: pair j belongs to row `row[j]`. Rows that are null have no pair."""

    row: Int[np.ndarray, "pairs"]
    keys: pa.ChunkedArray
    items: Float[np.ndarray, "pairs"]


def flatten(maps: pa.ChunkedArray) -> FlatMaps:
    """All pairs of a column of maps, in row order."""
    rows, keys, items, done = [], [], [], 0
    for chunk in maps.chunks:
        offsets = chunk.offsets.to_numpy()
        lengths = np.diff(offsets)
        row = np.repeat(np.arange(len(chunk)), lengths)
        key = chunk.keys.slice(offsets[0], offsets[-1] - offsets[0])
        item = chunk.items.slice(offsets[0], offsets[-1] - offsets[0])
        if chunk.null_count:
            use = np.asarray(chunk.is_valid().to_numpy(zero_copy_only=False), dtype=bool)[row]
            row, key, item = row[use], key.filter(pa.array(use)), item.filter(pa.array(use))
        rows.append(row + done)
        keys.append(key)
        items.append(item.to_numpy(zero_copy_only=False))
        done += len(chunk)
    return FlatMaps(np.concatenate(rows), pa.chunked_array(keys, pa.string()), np.concatenate(items).astype(np.float64))


def option_means(
    probabilities: pa.ChunkedArray | None, votes: Votes, said: Int[np.ndarray, "questions"]
) -> OptionMeans:
    """Mean probability and margin of each question's consensus `said` (codes into `votes.values`, -1 none).

    An option that a map does not list has probability 0.
    """
    nothing = np.full(len(said), np.nan)
    if probabilities is None:
        return OptionMeans(nothing, nothing)
    flat = flatten(probabilities)
    code = pc.index_in(flat.keys, value_set=votes.values).fill_null(-1).to_numpy()
    target = said[votes.question[flat.row]]
    own = (code == target) & (target >= 0)
    n_rows = len(votes.question)
    mine = group_sums(flat.row[own], flat.items[own], n_rows)
    best = np.zeros(n_rows)
    if len(flat.row):
        starts = np.flatnonzero(np.concatenate([[True], flat.row[1:] != flat.row[:-1]]))
        best[flat.row[starts]] = np.maximum.reduceat(np.where(own, 0.0, flat.items), starts)
    use = np.zeros(n_rows, bool)
    use[flat.row] = True
    use &= said[votes.question] >= 0
    group = votes.question[use]
    return OptionMeans(
        probability=group_means(group, mine[use], len(said)),
        margin=group_means(group, (mine - best)[use], len(said)),
    )

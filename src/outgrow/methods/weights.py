"""What becomes of row weights where the trainer will not use them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.arrays import Float, Int
from outgrow.core.errors import ConfigError, DataError
from outgrow.core.hashing import sha256_text
from outgrow.core.names import unknown
from outgrow.reliability.hashing import hash_order

Weights = Literal["resample", "threshold", "keep-unused"]


@dataclass(frozen=True)
class Settled:
    """Rows after their weights were turned into something else, and how many of the rows that were there are gone."""

    rows: pa.Table
    left_out: int


def check_weights(weights: str | None, min_weight: float | int | None) -> None:
    """Refuse a way that does not exist, and a `min_weight` that is missing or would not be used.

    Raises:
        ConfigError: says which.
    """
    if weights is not None and weights not in get_args(Weights):
        raise ConfigError(unknown("way with weights", weights, get_args(Weights)))
    if weights == "threshold" and min_weight is None:
        raise ConfigError("--weights threshold needs --min-weight, the least weight to keep; the mean weight is 1")
    if weights != "threshold" and min_weight is not None:
        raise ConfigError("--min-weight belongs to --weights threshold")


def settle_weights(
    rows: pa.Table, weights: Weights | str | None, *, seed: int, min_weight: float | int | None
) -> Settled:
    """Rows whose weights were spent as asked; without being asked, and for "keep-unused", the rows as they are.

    "resample": as many rows as before, drawn in proportion to their weight (`systematic_counts`), each of weight 1;
    copies get `#1`, `#2`, ... behind their `row_id`. "threshold": the rows of weight `min_weight` or more, of weight 1.

    Args:
        rows: with unique `row_id` and `weight` of mean 1.
        weights: one of the above.
        seed: of the draw.
        min_weight: with "threshold".

    Raises:
        ConfigError: see `check_weights`.
        DataError: no row is that heavy.
    """
    check_weights(weights, min_weight)
    if weights not in ("resample", "threshold"):
        return Settled(rows, 0)
    weight = np.asarray(rows.column("weight").to_numpy(), dtype=np.float64)
    if weights == "resample":
        counts = systematic_counts(weight, rows.column("row_id").to_pylist(), seed=seed)
    else:
        counts = (weight >= (min_weight or 0.0)).astype(np.int64)
        if not counts.any():
            raise DataError(f"no row has a weight of {min_weight} or more; the largest is {weight.max():.4g}")
    return Settled(_repeated(rows, counts), int((counts == 0).sum()))


def systematic_counts(weights: Float[np.ndarray, "rows"], names: list[str], *, seed: int) -> Int[np.ndarray, "rows"]:
    """How often each of n rows is drawn when n are drawn by systematic resampling.

    The rows are laid end to end in the order of sha256("resample", seed, name), each as long as its share of n, and
    marks at distance 1 are put on that line from a seeded start: a row of expected count e is drawn floor(e) or
    floor(e) + 1 times, so the counts vary less than those of independent draws.
    """
    n = len(weights)
    order = hash_order(["resample", seed], names)
    ends = np.cumsum(weights[order] * (n / weights.sum()))
    start = int(sha256_text("resample", seed)[:13], 16) / 16**13
    marks = np.clip(np.ceil(ends - start), 0, n).astype(np.int64)
    marks[-1] = n  # rounding may not lose the last
    counts = np.empty(n, np.int64)
    counts[order] = np.diff(marks, prepend=0)
    return counts


def class_mix(values: pa.ChunkedArray, weight: Float[np.ndarray, "rows"], *, used: bool = True) -> dict[str, float]:
    """Share of the weight that each value carries (of the rows, where weights are not used), largest first."""
    weight = weight if used else np.ones(len(weight))
    sums = pa.table({"value": values, "weight": pa.array(weight)}).group_by("value").aggregate([("weight", "sum")])
    shares = {row["value"]: row["weight_sum"] / float(weight.sum()) for row in sums.to_pylist()}
    return dict(sorted(shares.items(), key=lambda item: (-item[1], item[0])))


def _repeated(rows: pa.Table, counts: Int[np.ndarray, "rows"]) -> pa.Table:
    index = np.repeat(np.arange(len(counts)), counts)
    copy = np.arange(len(index)) - np.repeat(np.cumsum(counts) - counts, counts)
    drawn = rows.take(pa.array(index))
    marks = pa.array(["" if n == 0 else f"#{n}" for n in copy.tolist()], pa.string())
    names = pc.binary_join_element_wise(drawn.column("row_id"), marks, "")
    drawn = drawn.set_column(drawn.column_names.index("row_id"), rows.schema.field("row_id"), names)
    ones = pa.array(np.ones(len(index)))
    return drawn.set_column(drawn.column_names.index("weight"), rows.schema.field("weight"), ones)

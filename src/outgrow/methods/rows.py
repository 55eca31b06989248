"""Training rows made of labels or answers, and the weights of rows."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.arrays import Float
from outgrow.core.errors import ConfigError, DataError
from outgrow.core.tables import PROBABILITIES, ROWS, build
from outgrow.reliability.groups import group_sums
from outgrow.reliability.options import flatten


class Weighted(NamedTuple):
    """Training rows after their weights were settled."""

    rows: pa.Table
    removed: int  # rows of weight 0


def imitation_rows(
    labels: pa.Table,
    answers: pa.Table | None = None,
    *,
    weights: Float[np.ndarray, "questions"] | None = None,
    soft: bool = False,
) -> pa.Table:
    """One training row per label that has a consensus: variant 0, to be worded by the lab.

    Args:
        labels: labels table.
        answers: the answers behind the labels. Where they were generated (a `text`, and `finish_reason`
            other than "scored"), the target is the text of the first answer (by variant, then sample) whose value is
            the consensus; otherwise, and without `answers`, the consensus value.
        weights: one per row of `labels`, those without a consensus included; default 1.
        soft: `probabilities` instead of `target`: the label's, scaled to sum to 1.

    Returns:
        Training rows (`records.ROWS`), `row_id` = example_id/source/variant, prompts null.

    Raises:
        DataError: the number of weights is not the number of labels, or two labels share question and source.
    """
    weight = _weights(weights, labels.num_rows, "labels")
    use = labels.column("value").is_valid()
    kept, weight = labels.filter(use), weight[np.asarray(use.to_numpy(), dtype=bool)]
    ids, sources = kept.column("example_id"), kept.column("source").cast(pa.string())
    columns = {
        "row_id": _row_ids(ids, sources, pa.repeat("0", len(ids))),
        "example_id": ids,
        "source": sources,
        "variant": pa.array(np.zeros(len(ids), np.int64)),
        "weight": pa.array(weight),
    }
    if soft:
        columns["probabilities"] = _normalised(kept.column("probabilities"))
    elif answers is None:
        columns["target"] = kept.column("value")
    else:
        columns["target"] = pc.coalesce(_spoken(kept, answers), kept.column("value"))
    return build(ROWS, columns)


def answer_rows(answers: pa.Table, *, weights: Float[np.ndarray, "answers"] | None = None) -> pa.Table:
    """One training row per valid answer, with the prompt it answers (the published form of paper 2406.19032).

    Args:
        answers: answers table with `variant` and `sample`.
        weights: one per row of `answers`, invalid ones included (theirs are not used); default 1.

    Returns:
        Training rows, `row_id` = example_id/source/variant/sample. The target is the text of a generated
        answer, else its value.

    Raises:
        DataError: the number of weights is not the number of answers, or two rows share a key.
    """
    weight = _weights(weights, answers.num_rows, "answers")
    use = answers.column("value").is_valid()
    kept, weight = answers.filter(use), weight[np.asarray(use.to_numpy(), dtype=bool)]
    key = [kept.column(n).cast(pa.string()) for n in ("example_id", "source", "variant", "sample")]
    return build(
        ROWS,
        {
            "row_id": _row_ids(*key),
            "example_id": kept.column("example_id"),
            "source": kept.column("source"),
            "variant": kept.column("variant"),
            "prompt": kept.column("prompt"),
            "target": pc.coalesce(_generated(kept), kept.column("value")),
            "weight": pa.array(weight),
        },
    )


def gold_rows(gold: pa.Table) -> pa.Table:
    """One row per gold label, `source` "gold"; the lab writes worked answers where the task has them."""
    ids = gold.column("example_id")
    return build(
        ROWS,
        {
            "row_id": _row_ids(ids, pa.repeat("gold", len(ids)), pa.repeat("0", len(ids))),
            "example_id": ids,
            "source": pa.repeat("gold", len(ids)),
            "variant": pa.array(np.zeros(len(ids), np.int64)),
            "target": gold.column("value"),
            "weight": pa.array(np.ones(len(ids))),
        },
    )


def normalise_weights(rows: pa.Table, mode: Literal["mean_one", "raw"] | str = "mean_one") -> Weighted:
    """Rows without those of weight 0; with `mean_one` the rest is divided by its mean (definition 5).

    Raises:
        ConfigError: unknown mode.
        DataError: a weight is negative, NaN or infinite, or no weight is above 0.
    """
    if mode not in ("mean_one", "raw"):
        raise ConfigError(f"unknown weights mode {mode!r}; choose 'mean_one' or 'raw'")
    weight = np.asarray(rows.column("weight").to_numpy(), dtype=np.float64)
    wrong = np.flatnonzero(~np.isfinite(weight) | (weight < 0))
    if len(wrong):
        row = rows.column("row_id")[int(wrong[0])].as_py()
        raise DataError(
            f"{len(wrong)} rows have a weight that is not a finite number of at least 0; "
            f"the first is {weight[wrong[0]]} of row {row!r}"
        )
    keep = weight > 0
    if not keep.any():
        raise DataError("no row has a weight above 0; there is nothing to train on")
    kept, weight = rows.filter(pa.array(keep)), weight[keep]
    if mode == "mean_one":
        weight = weight / weight.mean()
    place = rows.column_names.index("weight")
    return Weighted(kept.set_column(place, ROWS.field("weight"), pa.array(weight)), int((~keep).sum()))


def _weights(given: Float[np.ndarray, "n"] | None, n: int, what: str) -> Float[np.ndarray, "n"]:
    if given is None:
        return np.ones(n)
    if len(given) != n:
        raise DataError(f"{len(given)} weights for {n} {what}; one weight per row is needed")
    return np.asarray(given, dtype=np.float64)


def _row_ids(*parts: pa.ChunkedArray | pa.Array) -> pa.ChunkedArray:
    named = [pc.fill_null(part, "all") for part in parts]
    found = pc.binary_join_element_wise(*named, "/")
    found = found if isinstance(found, pa.ChunkedArray) else pa.chunked_array([found])
    if pc.count_distinct(found).as_py() != len(found):
        counts = found.value_counts()
        twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")[0].as_py()
        raise DataError(f"two training rows share the id {twice!r}; keep one row per key")
    return found


def _generated(answers: pa.Table) -> pa.ChunkedArray:
    """Text of answers that were generated; null for scored ones and where no text is given."""
    scored = pc.fill_null(pc.equal(answers.column("finish_reason"), "scored"), False)
    return pc.if_else(scored, pa.scalar(None, pa.string()), answers.column("text"))


def _spoken(labels: pa.Table, answers: pa.Table) -> pa.ChunkedArray:
    """For each label the text of the first generated answer that gave its consensus; null if there is none."""
    given = answers.select(["example_id", "source", "variant", "sample", "value"])
    given = given.append_column("said", _generated(answers)).filter(pc.is_valid(_generated(answers)))
    given = given.sort_by([("example_id", "ascending"), ("variant", "ascending"), ("sample", "ascending")])
    first: dict[tuple[str, str | None, str], str] = {}
    keys = (given.column(n).to_pylist() for n in ("example_id", "source", "value", "said"))
    for example_id, source, value, said in zip(*keys, strict=True):
        first.setdefault((example_id, source, value), said)
        first.setdefault((example_id, None, value), said)
    wanted = zip(*(labels.column(n).to_pylist() for n in ("example_id", "source", "value")), strict=True)
    return pa.chunked_array([pa.array([first.get(key) for key in wanted], pa.string())])


def _normalised(maps: pa.ChunkedArray) -> pa.Array:
    flat = flatten(maps)
    total = group_sums(flat.row, flat.items, len(maps))
    if not (np.isfinite(total).all() and (total > 0).all() and (flat.items >= 0).all()):
        raise DataError("a soft label needs probabilities that are finite, not negative, and sum to more than 0")
    offsets = np.concatenate([[0], np.cumsum(np.bincount(flat.row, minlength=len(maps)))])
    shares = pa.array(flat.items / total[flat.row])
    return pa.MapArray.from_arrays(pa.array(offsets, pa.int32()), flat.keys.combine_chunks(), shares).cast(
        PROBABILITIES
    )

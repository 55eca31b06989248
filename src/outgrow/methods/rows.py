"""Training rows made of labels or answers, and the weights of rows."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.arrays import Float, Int
from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.core.tables import PROBABILITIES, ROWS, build, with_column
from outgrow.reliability.groups import group_sums
from outgrow.reliability.options import flatten

WeightMode = Literal["mean_one", "raw"]
LabelForm = Literal["auto", "soft", "hard"]


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
        Training rows (`outgrow.core.tables.ROWS`), `row_id` = example_id/source/variant, prompts null.

    Raises:
        DataError: the number of weights is not the number of labels, or two labels share question and source.
    """
    weight = _weights(weights, labels.num_rows, "labels")
    use = labels.column("value").is_valid()
    kept, weight = labels.filter(use), weight[np.asarray(use.to_numpy(), dtype=bool)]
    ids, sources = kept.column("example_id"), kept.column("source").cast(pa.string())
    columns = {
        "row_id": _unique(label_ids(kept)),
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
        columns["target"] = pc.coalesce(answers["text"].take(first_in_words(kept, answers)), kept.column("value"))
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
    return build(
        ROWS,
        {
            "row_id": _unique(answer_ids(kept)),
            "example_id": kept.column("example_id"),
            "source": kept.column("source"),
            "variant": kept.column("variant"),
            "prompt": kept.column("prompt"),
            "target": said_in_words(kept),
            "weight": pa.array(weight),
        },
    )


def weak_rows(answers: pa.Table, form: LabelForm = "auto") -> pa.Table:
    """One training row per valid answer: `answer_rows`, with the answer's option probabilities as a soft target.

    Args:
        answers: answers table, as a rule one answer a question.
        form: `soft` needs option probabilities, `hard` takes what was said, `auto` is soft where all answers have
            probabilities.

    Raises:
        PrerequisiteError: `soft`, and an answer has no probabilities.
    """
    rows = answer_rows(answers)
    shares = answers.filter(answers["value"].is_valid())["probabilities"]
    if not len(shares) or form == "hard" or (form == "auto" and shares.null_count):
        return rows
    if shares.null_count:
        raise PrerequisiteError(
            f"labels: soft needs the option probabilities of every answer; {shares.null_count:,} of {len(shares):,} "
            "have none. Texts that were generated have none: use labels: hard"
        )
    soft = with_column(rows, "probabilities", _normalised(shares))
    return with_column(soft, "target", pa.nulls(len(shares), pa.string()))


def gold_rows(gold: pa.Table) -> pa.Table:
    """One row per gold label, `source` "gold"; the lab writes worked answers where the task has them."""
    ids = gold.column("example_id")
    return build(
        ROWS,
        {
            "row_id": _unique(_joined(ids, pa.scalar("gold"), pa.scalar("0"))),
            "example_id": ids,
            "source": pa.repeat("gold", len(ids)),
            "variant": pa.array(np.zeros(len(ids), np.int64)),
            "target": gold.column("value"),
            "weight": pa.array(np.ones(len(ids))),
        },
    )


def normalise_weights(rows: pa.Table, mode: WeightMode | str = "mean_one") -> Weighted:
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


def earliest(answers: pa.Table, group: Int[np.ndarray, "answers"], n: int) -> pa.Array:
    """For each of n groups the position of its answer with the lowest variant, then sample; null in an empty one.

    Args:
        answers: answers table.
        group: of every answer, 0 to n - 1; -1 for those of no group.
        n: how many groups.
    """
    order = np.lexsort((answers["sample"].to_numpy(), answers["variant"].to_numpy(), group))
    first = order[np.diff(group[order], prepend=-1) > 0]
    place = np.full(n, -1)
    place[group[first]] = first
    return pa.array(place, mask=place < 0)


def first_in_words(labels: pa.Table, answers: pa.Table) -> pa.Array:
    """For each label the position of the first generated answer that gave its value; null where there is none.

    A label without a source is given by answers of any.
    """
    at = np.flatnonzero(pc.and_(pc.is_valid(in_own_words(answers)), answers["value"].is_valid()).to_numpy())
    spoken = answers.take(pa.array(at))
    keys = _joined(labels["example_id"], pc.fill_null(labels["source"], ""), labels["value"], by="\0")
    label = pc.coalesce(
        *(
            pc.index_in(_joined(spoken["example_id"], source, spoken["value"], by="\0"), value_set=keys)
            for source in (spoken["source"], pa.scalar(""))
        )
    )
    return pa.array(at).take(earliest(spoken, label.fill_null(-1).to_numpy().astype(np.int64), labels.num_rows))


def label_ids(labels: pa.Table) -> pa.ChunkedArray:
    """The `row_id` of each label in `imitation_rows`: example_id/source/variant, the source "all" where it is null."""
    return _joined(labels["example_id"], labels["source"].cast(pa.string()), pa.scalar("0"))


def answer_ids(answers: pa.Table) -> pa.ChunkedArray:
    """The `row_id` of each answer in `answer_rows`: example_id/source/variant/sample."""
    return _joined(*(answers[name].cast(pa.string()) for name in ("example_id", "source", "variant", "sample")))


def _joined(*parts: pa.ChunkedArray | pa.Array | pa.Scalar, by: str = "/") -> pa.ChunkedArray:
    names = pc.binary_join_element_wise(*(pc.fill_null(part, "all") for part in parts), by)
    return names if isinstance(names, pa.ChunkedArray) else pa.chunked_array([names])


def _unique(names: pa.ChunkedArray) -> pa.ChunkedArray:
    if pc.count_distinct(names).as_py() != len(names):
        counts = names.value_counts()
        twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")[0].as_py()
        raise DataError(f"two training rows share the id {twice!r}; keep one row per key")
    return names


def said_in_words(answers: pa.Table) -> pa.ChunkedArray:
    """What to train on of each answer: the text of a generated one, else its value."""
    return pc.coalesce(in_own_words(answers), answers.column("value"))


def in_own_words(answers: pa.Table) -> pa.ChunkedArray:
    """Text of answers that were generated; null for scored ones and where no text is given."""
    scored = pc.fill_null(pc.equal(answers.column("finish_reason"), "scored"), False)
    return pc.if_else(scored, pa.scalar(None, pa.string()), answers.column("text"))


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

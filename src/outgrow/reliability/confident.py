"""Confident learning: given labels against another model's out-of-sample probabilities, by the library cleanlab."""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.arrays import Float, Int
from outgrow.core.errors import DataError, PrerequisiteError
from outgrow.core.tables import with_column
from outgrow.reliability.groups import group_sums
from outgrow.reliability.options import flatten
from outgrow.reliability.soft import mean_probabilities
from outgrow.reliability.votes import column


def confident_learning(labels: pa.Table, predicted: pa.Table, *, classes: Sequence[str] | None = None) -> pa.Table:
    """`labels` with `reliability` = P(given label), 0 to 1, and a column `label_issue` (arXiv 1911.00068).

    The flag is cleanlab's `find_label_issues` (prune by noise rate), the reliability its self-confidence: the
    probability that the other model gives the label. Both need probabilities from a model that was not trained on
    these labels, for instance by cross-validation; nothing in the tables shows whether that is so.

    Args:
        labels: labels table, one label per question. Those without a value get reliability 0 and are flagged.
        predicted: answers table of the other model with `probabilities`; averaged over the answers of a question.
        classes: all values that labels can have; by default those in the labels and in the probabilities. A class that
            a map does not list has probability 0.

    Raises:
        DataError: several labels of one question, a question without probabilities, probabilities that are negative or
            do not sum to 1 (within .001), a label that is not among the classes, or fewer than two classes.
        PrerequisiteError: the extra `cleanlab` is not installed.
    """
    issues, rank = _cleanlab()
    if pc.count_distinct(labels.column("example_id")).as_py() != labels.num_rows:
        raise DataError("labels: several rows for one question; rate the labels of each source by themselves")
    valid = np.asarray(labels.column("value").is_valid().to_numpy(), dtype=bool)
    use = labels.filter(pa.array(valid))
    names, given, probabilities = _arrays(use, predicted, classes)
    issue, quality = np.ones(labels.num_rows, bool), np.zeros(labels.num_rows)
    issue[valid] = issues.find_label_issues(given, probabilities, n_jobs=1)
    quality[valid] = rank.get_label_quality_scores(given, probabilities)
    rated = with_column(labels, "reliability", pa.array(quality)).append_column("label_issue", pa.array(issue))
    return rated.replace_schema_metadata({"estimator": "confident_learning", "classes": str(len(names))})


def _cleanlab() -> tuple[Any, Any]:
    """The modules `cleanlab.filter` and `cleanlab.rank`."""
    try:
        return import_module("cleanlab.filter"), import_module("cleanlab.rank")
    except ImportError as error:
        raise PrerequisiteError(
            'confident learning needs cleanlab; install it with: pip install "outgrow[cleanlab]"'
        ) from error


def _arrays(
    labels: pa.Table, predicted: pa.Table, classes: Sequence[str] | None
) -> tuple[list[str], Int[np.ndarray, "labels"], Float[np.ndarray, "labels classes"]]:
    maps = column(predicted, "probabilities")
    asked = pa.array([], pa.string()) if maps is None else predicted.filter(maps.is_valid())["example_id"]
    lacking = pc.invert(pc.is_in(labels.column("example_id"), value_set=pc.unique(asked)))
    if labels.num_rows == 0 or pc.any(lacking).as_py():
        first = labels.filter(lacking)["example_id"].to_pylist()[:1]
        raise DataError(
            f"{pc.sum(lacking).as_py() or 0} of {labels.num_rows} labels with a value have no predicted probabilities"
            + (f" (first: {first[0]!r}); " if first else "; ")
            + "bring answers with 'probabilities' of a model that was not trained on these labels"
        )
    blank = with_column(labels, "source", pa.nulls(labels.num_rows, pa.string()))
    flat = flatten(mean_probabilities(predicted, blank).column("probabilities"))
    said = labels.column("value").to_pylist()
    keys = flat.keys.to_pylist()
    names = sorted({*said, *keys}) if classes is None else list(classes)
    code = {name: i for i, name in enumerate(names)}
    unknown = sorted({*said, *keys} - set(code))
    if unknown:
        raise DataError(f"{unknown[0]!r} is a label or a predicted option, but not among the classes {names}")
    if len(names) < 2:
        raise DataError(f"confident learning needs at least two classes; there is only {names}")
    total = group_sums(flat.row, flat.items, labels.num_rows)
    wrong = np.flatnonzero(~(np.abs(total - 1) <= 1e-3))
    negative = flat.row[~(flat.items >= 0)]
    for row in [*negative[:1], *wrong[:1]]:
        raise DataError(
            f"predicted probabilities of {labels.column('example_id')[int(row)].as_py()!r} are negative or sum to "
            f"{total[row]:.4g}, not 1"
        )
    probabilities = np.zeros((labels.num_rows, len(names)))
    probabilities[flat.row, [code[k] for k in keys]] = flat.items
    return names, np.array([code[v] for v in said]), probabilities / total[:, None]

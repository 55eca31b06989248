"""Labels that somebody gave, replaced where the answers agree on something else."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import DataError, PrerequisiteError
from outgrow.core.tables import LABELS, build


@dataclass(frozen=True)
class Relabelled:
    """One label per given one, in the order they were given, and what was done to them."""

    labels: pa.Table  # `value` is the new label; the other columns are those of the answers, null where there are none
    given: pa.ChunkedArray
    changed: int
    without_answers: int  # given labels of questions nobody answered: kept
    without_given: int  # answered questions without a given label: left out


def relabel(labels: pa.Table, given: pa.Table, *, min_reliability: float | int) -> Relabelled:
    """The consensus where its reliability is at least `min_reliability`, the given label elsewhere.

    Args:
        labels: labels table of one source (`records.LABELS`).
        given: columns `example_id` (each once) and `label`; rows without a label are left out.
        min_reliability: of the labels' estimator; for the softmax and vote shares 0 to 1.

    Raises:
        DataError: no given label belongs to an answered question, or no given label is ever among the answers, which
            says that the two are written differently.
        PrerequisiteError: no answered question has a reliability.
    """
    given = given.filter(given.column("label").is_valid())
    at = pc.index_in(given.column("example_id"), value_set=labels.column("example_id"))
    found = labels.take(at)
    was, consensus = given.column("label"), found.column("value")
    _check(labels, given, at, was)
    measure = np.asarray(found.column("reliability").cast(pa.float64()).to_numpy(zero_copy_only=False))
    if np.isnan(measure).all():
        raise PrerequisiteError("relabel needs several answers per question; here none has a reliability")
    sure = pa.array(np.nan_to_num(measure, nan=-np.inf) >= min_reliability)
    changed = pc.and_(sure, pc.fill_null(pc.not_equal(consensus, was), False))
    columns = {name: found.column(name) for name in LABELS.names}
    columns |= {
        "example_id": given.column("example_id"),
        "value": pc.if_else(changed, consensus, was),
        "n_valid": pc.fill_null(found.column("n_valid"), 0),
        "n_invalid": pc.fill_null(found.column("n_invalid"), 0),
    }
    return Relabelled(
        labels=build(LABELS, columns),
        given=was,
        changed=int(pc.sum(changed).as_py() or 0),
        without_answers=at.null_count,
        without_given=labels.num_rows - (len(at) - at.null_count),
    )


def _check(labels: pa.Table, given: pa.Table, at: pa.ChunkedArray, was: pa.ChunkedArray) -> None:
    if at.null_count == len(at):
        raise DataError(
            f"none of the {len(at)} questions with a given label was answered; the labels' ids look like "
            f"{_some(given.column('example_id'))}, the answers' like {_some(labels.column('example_id'))}"
        )
    said = labels.column("value").drop_null()
    if len(said) and not pc.any(pc.is_in(was, value_set=said.unique())).as_py():
        raise DataError(
            f"no given label is ever among the answers: labels are like {_some(was)}, answers like {_some(said)}; "
            "write both in the same form"
        )


def _some(column: pa.ChunkedArray, most: int = 3) -> str:
    return ", ".join(repr(value) for value in column.unique().to_pylist()[:most])

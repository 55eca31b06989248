"""Labels that somebody gave, replaced where the answers agree on something else."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import DataError, PrerequisiteError
from outgrow.core.tables import LABELS, build
from outgrow.methods.base import Answered, MethodConfig, MethodSpec, Temperature, TrainingSet
from outgrow.methods.rows import imitation_rows
from outgrow.reliability.agreement import as_floats


class Relabel(MethodConfig):
    """When a given label gives way.

    Attributes:
        min_reliability: the least softmax reliability, 0 to 1, at which the consensus replaces a label.
        temperature: of the softmax over vote shares.
    """

    min_reliability: float = 0.9
    temperature: Temperature = 0.2


def relabel(answered: Answered, config: Relabel) -> TrainingSet:
    """Given labels, each replaced by the consensus of the answers where that is reliable enough.

    Rows and labels stand in the order of the given labels; the labels' `value` is the new one and `given` the old.
    Answered questions without a given label are left out; given labels of questions nobody answered are kept.

    Raises:
        DataError: no given label belongs to an answered question, or no given label is ever among the answers, which
            says that the two are written differently.
        PrerequisiteError: there are no given labels, or no answered question has a reliability.
    """
    if answered.given is None:
        raise PrerequisiteError(
            "relabel needs the labels that may be wrong: --given FILE with the columns example_id and label, "
            "or a column label in the file of --questions"
        )
    given = answered.given.filter(answered.given["label"].is_valid())
    consensus = answered.labels(temperature=config.temperature)
    at = pc.index_in(given["example_id"], value_set=consensus["example_id"])
    was, new = given["label"], consensus.take(at)
    _check(consensus, given, at)
    measure = as_floats(new["reliability"])
    if np.isnan(measure).all():
        raise PrerequisiteError("relabel needs several answers per question; here none has a reliability")
    sure = pa.array(np.nan_to_num(measure, nan=-np.inf) >= config.min_reliability)
    changed = pc.and_(sure, pc.fill_null(pc.not_equal(new["value"], was), False))
    columns = {name: new[name] for name in LABELS.names} | {
        "example_id": given["example_id"],
        "value": pc.if_else(changed, new["value"], was),
        "n_valid": pc.fill_null(new["n_valid"], 0),
        "n_invalid": pc.fill_null(new["n_invalid"], 0),
    }
    labels = build(LABELS, columns).append_column("given", was)
    replaced, left_out = int(pc.sum(changed).as_py() or 0), consensus.num_rows - (len(at) - at.null_count)
    notes = [f"{replaced:,} of {len(was):,} given labels were replaced by the consensus ({replaced / len(was):.1%})"]
    if at.null_count:
        notes.append(f"{at.null_count:,} given labels have no answers and were kept")
    if left_out:
        notes.append(f"{left_out:,} answered questions have no given label and were left out")
    return TrainingSet(imitation_rows(labels, answered.answers), labels, notes=tuple(notes))


def _check(consensus: pa.Table, given: pa.Table, at: pa.ChunkedArray) -> None:
    if at.null_count == len(at):
        raise DataError(
            f"none of the {len(at)} questions with a given label was answered; the labels' ids look like "
            f"{_some(given['example_id'])}, the answers' like {_some(consensus['example_id'])}"
        )
    values = consensus["value"].drop_null()
    if len(values) and not pc.any(pc.is_in(given["label"], value_set=values.unique())).as_py():
        raise DataError(
            f"no given label is ever among the answers: labels are like {_some(given['label'])}, answers like "
            f"{_some(values)}; write both in the same form"
        )


def _some(column: pa.ChunkedArray, most: int = 3) -> str:
    return ", ".join(repr(value) for value in column.unique().to_pylist()[:most])


RELABEL = MethodSpec.choosing("relabel", Relabel, relabel, needs="given")
"""A method of `curate` alone: a recipe's lab has no given labels."""

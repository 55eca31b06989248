"""Which answers equal a reference where one answer can be written in several ways."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa

from outgrow.core.tables import ANSWERS, build, with_column
from outgrow.tasks.base import Task


def same_as(task: Task, reference: Mapping[str, str], ids: Sequence[str], values: Sequence[str | None]) -> list[bool]:
    """For each answer whether it equals its question's reference (gold, a supervisor's label), as the task judges.

    A task makes answers comparable by rewriting equal ones to one form; here the reference takes part.

    Args:
        task: whose `canonicalise` judges.
        reference: question to canonical value.
        ids: question of each answer.
        values: canonical answers; None equals nothing.
    """
    pairs = list(dict.fromkeys((i, v) for i, v in zip(ids, values, strict=True) if v is not None and v != reference[i]))
    asked = list(dict.fromkeys(i for i, _ in pairs))
    rows = [(i, reference[i], "reference") for i in asked] + [(i, v, "said") for i, v in pairs]
    table = build(
        ANSWERS,
        {
            "example_id": [i for i, _, _ in rows],
            "source": [source for _, _, source in rows],
            "variant": [0] * len(rows),
            "sample": list(range(len(rows))),
            "value": [value for _, value, _ in rows],
        },
    )
    forms = task.canonicalise(table)["value"].to_pylist() if rows else []
    truth = dict(zip(asked, forms, strict=False))
    equal = {pair for pair, form in zip(pairs, forms[len(asked) :], strict=True) if form == truth[pair[0]]}
    return [v is not None and (v == reference[i] or (i, v) in equal) for i, v in zip(ids, values, strict=True)]


def in_form_of(task: Task, reference: Mapping[str, str], answers: pa.Table) -> pa.Table:
    """Answers (`example_id`, `value` and any other columns) with the reference's own form where they equal it."""
    ids, values = answers["example_id"].to_pylist(), answers["value"].to_pylist()
    same = same_as(task, reference, ids, values)
    formed = [reference[i] if ok else v for i, v, ok in zip(ids, values, same, strict=True)]
    return with_column(answers, "value", pa.array(formed, pa.string()))

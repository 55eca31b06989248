"""What the targets of training rows say."""

from __future__ import annotations

import pyarrow as pa

from outgrow.experiment.results.cell import CollectedCell
from outgrow.supervisors.queries import Query


def parsed_targets(cell: CollectedCell, rows: pa.Table) -> tuple[list[str], list[str | None]]:
    """Question and value of each row's target: its parsed answer, of a soft label the most probable value."""
    task = cell.runner.task
    ids: list[str] = []
    values: list[str | None] = []
    for row in rows.select(["example_id", "variant", "target", "probabilities", "source"]).to_pylist():
        value = row["target"]
        if row["probabilities"] is not None:
            value = max(row["probabilities"], key=lambda pair: pair[1])[0]
        elif row["source"] != "gold" and (example := cell.answered_freely.get(row["example_id"])) is not None:
            value = Query(example, row["variant"], task.wording(example, row["variant"])).read(task, value)
        ids.append(row["example_id"])
        values.append(value)
    return ids, values

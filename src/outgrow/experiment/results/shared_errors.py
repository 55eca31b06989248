"""Whose errors come together among the supervisors of a cell: as estimated without gold, and as they are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow import evaluation as ev
from outgrow.core.errors import OutgrowError
from outgrow.experiment.lab import identity_values
from outgrow.experiment.results.cell import CollectedCell
from outgrow.experiment.results.labels import mean_of
from outgrow.experiment.results.views import Split

MOST = 12


def shared_errors(cell: CollectedCell) -> dict[str, Any] | None:
    """The block `shared_errors` of a cell; None unless 2 to 12 annotators answer its pool."""
    answers = [cell.pool_answers(seed) for seed in cell.recipe.seeds]
    names = sorted({name for table in answers for name in pc.unique(table["source"]).to_pylist()})
    if not 2 <= len(names) <= MOST:
        return None
    return {"annotators": names, **_without_gold(answers, cell.pool, names), **_with_gold(answers, cell.pool, names)}


def _with_gold(answers: Sequence[pa.Table], pool: Split, names: Sequence[str]) -> dict[str, Any]:
    """Overlap of every pair on questions that both answer, all seeds taken together, groups of questions drawn."""
    from outgrow.reliability.annotators import effective_number

    said = [
        {name: identity_values(table.filter(pc.equal(table["source"], name))) for name in names} for table in answers
    ]
    pairs, matrix = [], np.eye(len(names))
    for (i, a), (j, b) in combinations(enumerate(names), 2):
        both = [
            (seed[a][q], seed[b][q], pool.gold[q], group)
            for seed in said
            for q, group in zip(pool.ids, pool.groups.tolist(), strict=True)
            if q in seed[a] and q in seed[b]
        ]
        record: dict[str, Any] = {"a": a, "b": b, "answers": len(both)}
        if both:
            wrong = np.array([(one != gold, other != gold) for one, other, gold, _ in both])
            same, groups = np.array([one == other for one, other, _, _ in both]), np.array([row[3] for row in both])
            overlap = ev.error_overlap(wrong[:, 0], wrong[:, 1], same, groups)
            record |= asdict(overlap)
            matrix[i, j] = matrix[j, i] = np.nan_to_num(overlap.correlation)
        pairs.append(record)
    return {"pairs": pairs, "effective_number": effective_number(matrix)}


def _without_gold(answers: Sequence[pa.Table], pool: Split, names: Sequence[str]) -> dict[str, Any]:
    """Per pair the mean over seeds, and the means of the ends of the seeds' intervals; or a reason why not."""
    from outgrow.reliability.annotators import effective_number, error_correlations, fit_annotators

    groups = {question: str(group) for question, group in pool.group_of.items()}
    try:
        tables = [error_correlations(fit_annotators(table), groups=groups) for table in answers]
    except OutgrowError as error:
        return {"estimates": [], "estimated_number": None, "reason": str(error)}
    rows = [{(row["annotator"], row["other"]): row for row in table.to_pylist()} for table in tables]
    estimates, matrix = [], np.eye(len(names))
    for (i, a), (j, b) in combinations(enumerate(names), 2):
        known = [seed[a, b] for seed in rows if (a, b) in seed and seed[a, b]["correlation"] is not None]
        value, low, high = (mean_of([row[end] for row in known]) for end in ("correlation", "low", "high"))
        estimates.append({"a": a, "b": b, "value": value, "low": low, "high": high})
        matrix[i, j] = matrix[j, i] = value
    number = effective_number(matrix) if np.isfinite(matrix).all() else None
    return {"estimates": estimates, "estimated_number": number, "reason": None}

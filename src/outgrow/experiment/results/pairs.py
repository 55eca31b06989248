"""What is known of an arm's pairs once gold is there: how much better chosen answers are, and what theory expects."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from outgrow import evaluation as ev
from outgrow.core.tables import of_pairs
from outgrow.evaluation.delta import condition
from outgrow.experiment.lab import identity_values
from outgrow.experiment.results.cell import CollectedCell
from outgrow.experiment.results.targets import parsed_targets
from outgrow.methods.pairs import SIDES, one_side
from outgrow.tasks.equivalence import in_form_of


def pair_record(cell: CollectedCell, tables: Sequence[pa.Table]) -> dict[str, Any] | None:
    """The block `pairs` of an arm, numbers per seed; None for an arm that did not train on pairs.

    `delta` is the mean score of chosen answers minus that of rejected ones, `better`, `tied` and `worse` the shares of
    pairs whose chosen answer scores higher, equally or lower; scores are those of the recipe's first metric that is a
    mean over answers, else whether an answer is right. `source_delta`, `common` and `slope` are equation 6 of our notes
    on arXiv 2507.06187, from who is right on the test; NaN where a source was not asked it.
    """
    if not tables or not all(of_pairs(table) for table in tables):
        return None
    metric = _metric(cell)
    deltas = [_deltas(cell, table, metric) for table in tables]
    sources = [(_only(table["chosen_source"]), _only(table["rejected_source"])) for table in tables]
    conditions = [
        _condition(cell, chosen, rejected, seed)
        for (chosen, rejected), seed in zip(sources, cell.recipe.seeds, strict=True)
    ]
    return {
        "metric": metric.name,
        "chosen": sources[0][0],
        "rejected": sources[0][1],
        "count": [table.num_rows for table in tables],
        "delta": [float(each.mean()) for each in deltas],
        "better": [float((each > 0).mean()) for each in deltas],
        "tied": [float((each == 0).mean()) for each in deltas],
        "worse": [float((each < 0).mean()) for each in deltas],
        **{name: [each[name] for each in conditions] for name in ("source_delta", "common", "slope")},
    }


def _metric(cell: CollectedCell) -> ev.MeanScore:
    found = [paired.metric for paired in (*cell.metrics.values(), cell.paired)]
    return next(metric for metric in found if isinstance(metric, ev.MeanScore))


def _deltas(cell: CollectedCell, pairs: pa.Table, metric: ev.MeanScore) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Score of the chosen answer minus that of the rejected one, of each pair."""
    scores = []
    for side in SIDES:
        ids, values = parsed_targets(cell, one_side(pairs, side))
        said = pa.table({"example_id": pa.array(ids, pa.string()), "value": pa.array(values, pa.string())})
        formed = in_form_of(cell.runner.plain_task, cell.trained_on, said)["value"].to_pylist()
        scores.append([metric.score(value, cell.trained_on[i]) for i, value in zip(ids, formed, strict=True)])
    return np.subtract(*(np.array(each, np.float64) for each in scores))


def _only(sources: pa.ChunkedArray) -> str | None:
    names = sources.unique().to_pylist()
    return names[0] if len(names) == 1 else None


def _condition(cell: CollectedCell, chosen: str | None, rejected: str | None, seed: int) -> Mapping[str, float]:
    right = [cell.test.right(cell.zero_answers).astype(bool)]
    for name in (chosen, rejected):
        answers = _test_answers(cell, name, seed)
        if answers is None:
            return dict.fromkeys(("source_delta", "common", "slope"), math.nan)
        right.append(cell.test.right(answers).astype(bool))
    found = condition(*right)
    return {"source_delta": found.delta, "common": found.common, "slope": found.slope}


def _test_answers(cell: CollectedCell, name: str | None, seed: int) -> Mapping[str, str] | None:
    if name == "student":
        return cell.zero_answers
    for place in cell.cell.supervisors:
        if cell.recipe.supervisors[place].name == name:
            source = cell.runner.tune_supervisor(place, seed)
            answers = cell.runner.answer(source, "test", seed=seed, full=True, shown=True)
            return identity_values(in_form_of(cell.runner.plain_task, cell.test.gold, answers))
    return None

"""Arms against each other: differences in accuracy and in further metrics, and accuracy by kind of question."""

from __future__ import annotations

import math
from dataclasses import asdict
from typing import Any

import numpy as np

from outgrow import evaluation as ev
from outgrow.experiment.results.arm import gap, measured
from outgrow.experiment.results.cell import CollectedCell
from outgrow.experiment.results.labels import mean_of
from outgrow.reliability.agreement import as_floats


def reference_arm(cell: CollectedCell) -> str:
    """The arm that others are compared with: naive training, else the first."""
    arms = cell.recipe.methods
    return next((arm.id for arm in arms if arm.name == "naive"), arms[0].id)


def comparisons(cell: CollectedCell) -> list[dict[str, Any]]:
    """Each arm against the reference, and the primary comparison."""
    reference = reference_arm(cell)
    pairs = [(arm.id, reference) for arm in cell.recipe.methods if arm.id != reference]
    primary = cell.recipe.primary
    if primary is not None and (primary.a, primary.b) not in pairs:
        pairs.append((primary.a, primary.b))
    differences = [cell.paired.difference(f"arm:{a}", f"arm:{b}") for a, b in pairs]
    # Holm over the arms of the table; the primary comparison was named beforehand and stands alone.
    table = [i for i, pair in enumerate(pairs) if pair[1] == reference]
    adjusted = dict(zip(table, ev.holm([differences[i].p for i in table]), strict=True))
    return [
        {
            "a": a, "b": b, **asdict(difference), "p_holm": adjusted.get(i, difference.p),
            "detectable": cell.paired.joint.detectable({f"arm:{a}": 1, f"arm:{b}": -1}),
        }
        for i, ((a, b), difference) in enumerate(zip(pairs, differences, strict=True))
    ]  # fmt: skip


def further_metrics(cell: CollectedCell) -> list[dict[str, Any]]:
    """Metrics beside accuracy: references and arms, each arm with its PGR and its difference to the reference arm."""
    reference = reference_arm(cell)

    def of_arm(name: str, arm: str) -> dict[str, Any]:
        paired = cell.metrics[name]
        difference = None if arm == reference else asdict(paired.difference(f"arm:{arm}", f"arm:{reference}"))
        return {**measured(paired, f"arm:{arm}"), "pgr": gap(cell, arm, "floor", name), "difference": difference}

    return [
        {
            "name": name,
            "higher_is_better": ev.METRICS.require(name).higher_is_better,
            **{who: measured(paired, who) for who in ("floor", "vote", "zero_shot")},
            "arms": {arm.id: of_arm(name, arm.id) for arm in cell.recipe.methods},
        }
        for name, paired in cell.metrics.items()
    ]


def strata(cell: CollectedCell) -> list[dict[str, Any]]:
    """Accuracy of references and arms on each kind of test question, and the labels of the pool's questions of it."""
    kinds = dict(zip(cell.pool.ids, cell.pool.strata, strict=True))
    labels = [
        (kinds[question], value is not None and value == cell.pool.gold[question], reliability)
        for seed in cell.seeds
        for question, value, reliability in zip(
            seed.pool["example_id"].to_pylist(),
            seed.pool["value"].to_pylist(),
            as_floats(seed.pool["reliability"]).tolist(),
            strict=True,
        )
    ]
    records = []
    for name in sorted(set(cell.test.strata) - {""}):
        asked = np.array([kind == name for kind in cell.test.strata])
        accuracy = {who: float(scores[:, asked].mean()) for who, scores in cell.scores.items()}
        right = [right for kind, right, _ in labels if kind == name]
        records.append(
            {
                "stratum": name,
                "questions": int(asked.sum()),
                "floor": accuracy.get("floor", math.nan),
                "zero_shot": accuracy["zero_shot"],
                "arms": {arm: accuracy[f"arm:{arm}"] for arm in cell.arm_answers},
                "consensus_accuracy": float(np.mean(right)) if right else math.nan,
                "mean_reliability": mean_of([reliability for kind, _, reliability in labels if kind == name]),
            }
        )
    return records

"""What an arm's record holds: how right it is and its labels were, what it trained on and how, what it copied."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from outgrow import evaluation as ev
from outgrow.core.tables import of_pairs
from outgrow.experiment.graph import Done
from outgrow.experiment.results.cell import CollectedCell
from outgrow.experiment.results.confidence import confidence_record
from outgrow.experiment.results.floors import floors_of
from outgrow.experiment.results.pairs import pair_record
from outgrow.experiment.results.targets import parsed_targets
from outgrow.methods import METHODS
from outgrow.methods.pairs import one_side
from outgrow.tasks.equivalence import same_as

MOST_VALUES = 60  # of a label mix


def arm_record(cell: CollectedCell, arm: Any) -> dict[str, Any]:
    """One entry of `arms`; `arm` is the recipe's."""
    spec = METHODS[arm.name]
    done = [cell.students[arm.id, seed] for seed in cell.recipe.seeds]
    facts = [cell.runner.fit_facts(d.student) for d in done if d.student is not None]
    tables = [cell.runner.training_rows(d.student) for d in done if d.student is not None]
    rows = [one_side(table, "chosen") if of_pairs(table) else table for table in tables]
    return {
        "name": arm.id,
        "method": arm.name,
        "config": arm.config.model_dump(mode="json"),
        "uses_gold": spec.uses_gold,
        "control": spec.control,
        "doc": spec.doc,
        "accuracy": measured(cell.paired, f"arm:{arm.id}"),
        "pgr": gap(cell, arm.id, "floor"),
        "pgr_vs_vote": gap(cell, arm.id, "vote"),
        **by_floor(cell, arm.id),
        "elicited": gap(cell, arm.id, "zero_shot"),
        "gain": asdict(cell.paired.difference(f"arm:{arm.id}", "zero_shot")),
        "label_accuracy": [target_accuracy(cell, table) for table in rows],
        **{
            name: [fact[name] for fact in facts]
            for name in ("rows", "questions", "removed_rows", "steps", "chosen_step")
        },
        "asked": [d.asked for d in done],
        "known": [d.known for d in done],
        "label_mix": label_mix(cell, rows),
        "agreement": agreement_at_test(cell, arm.id),
        "curves": [
            {
                "seed": seed,
                "loss": [[point["step"], point["loss"]] for point in fact["history"]],
                "validation": [list(score) for score in fact["scores"]],
                "shown": {
                    name: [[point["step"], point[name]] for point in fact["history"]]
                    for name in (fact["history"] or [{}])[0]
                    if name not in ("step", "loss")
                }
                | ({"kl": [list(point) for point in fact["kl"]]} if "kl" in fact else {}),
            }
            for seed, fact in zip(cell.recipe.seeds, facts, strict=True)
        ],
        "unparsed_share": cell.unparsed[arm.id],
        **confidence_record(cell, arm.id),
        "notes": sorted({note for d in done for note in d.notes}),
        "stages": stages(done),
        "pairs": pair_record(cell, tables),
    }


def measured(paired: ev.PairedScores, name: str) -> dict[str, Any]:
    """A metric's value with its interval, and per seed; nulls for a supervisor that was not asked the test."""
    if name not in paired.arms:
        return {"value": None, "low": None, "high": None, "per_seed": []}
    interval = paired.interval(name)
    return {"value": interval.value, "low": interval.low, "high": interval.high, "per_seed": paired.per_seed(name)}


def gap(cell: CollectedCell, arm: str, floor: str, metric: str | None = None) -> dict[str, Any]:
    """What an arm recovers of the gap between `floor` and its ceiling, by accuracy or a further metric."""
    own = next(METHODS[other.name] for other in cell.recipe.methods if other.id == arm)
    ceiling = next((other.id for other in cell.recipe.methods if other.name == own.ceiling), None)
    if ceiling is None:
        reason = f"the recipe has no {own.ceiling}"
    elif cell.unanswered:
        who = "one of the supervisors" if cell.members else "the supervisor"
        reason = f"{who} was not asked {cell.unanswered} of {len(cell.test.ids)} test questions"
    else:
        paired = cell.paired if metric is None else cell.metrics[metric]
        chance = cell.chance if metric is None and floor != "zero_shot" else None  # known of accuracy alone
        return asdict(paired.gap_recovered(f"arm:{arm}", floor=floor, ceiling=f"arm:{ceiling}", chance=chance))
    return _no_gap(reason)


def _no_gap(reason: str) -> dict[str, Any]:
    return {"value": None, "low": None, "high": None, "defined": False, "reason": reason}


def by_floor(cell: CollectedCell, arm: str) -> dict[str, Any]:
    """Beside each floor of several supervisors: what the arm recovers, and its accuracy minus the floor."""
    if not cell.members:
        return {}
    return {
        "by_floor": {
            floor.name: {
                "pgr": gap(cell, arm, floor.arm) if floor.reason is None else _no_gap(floor.reason),
                "difference": asdict(cell.paired.difference(f"arm:{arm}", floor.arm)) if floor.reason is None else None,
            }
            for floor in floors_of(cell)
        }
    }


def stages(done: Sequence[Done]) -> list[dict[str, Any]]:
    """Rows, steps and answers asked for by each training, of an arm that has several; per seed."""
    first = done[0].stages
    if len(first) < 2 or any(len(d.stages) != len(first) for d in done):
        return []
    return [
        {
            "name": each[0].name,
            "rows": [stage.student.n_rows for stage in each],
            "questions": [stage.student.n_questions for stage in each],
            "steps": [stage.student.steps for stage in each],
            "asked": [stage.asked for stage in each],
        }
        for each in zip(*(d.stages for d in done), strict=True)
    ]


def target_accuracy(cell: CollectedCell, rows: pa.Table) -> float:
    """Weighted share of rows whose target (its parsed answer, the most probable value) is right; pairs: the chosen."""
    ids, values = parsed_targets(cell, rows)
    weights = rows["weight"].to_pylist()
    right = same_as(cell.runner.task, cell.trained_on, ids, values)
    total = math.fsum(weights)
    return math.fsum(w for w, ok in zip(weights, right, strict=True) if ok) / total if total else math.nan


def label_mix(cell: CollectedCell, rows: Sequence[pa.Table]) -> dict[str, Any] | None:
    """Shares of label values among all consensus labels and among (weighted) training targets, over all seeds."""
    before = Counter(value for seed in cell.seeds for value in seed.pool["value"].to_pylist() if value is not None)
    after: dict[str, float] = {}
    for table in rows:
        for row in table.select(["target", "probabilities", "weight"]).to_pylist():
            shares = [(row["target"], 1.0)] if row["probabilities"] is None else row["probabilities"]
            for value, share in shares:
                after[value] = after.get(value, 0.0) + row["weight"] * share
    if len(before) > MOST_VALUES or not set(after) <= set(before) | set(cell.pool.gold.values()):
        return None
    return {"before": _shares(before), "after": _shares(after)}


def _shares(counts: Mapping[str, int | float]) -> dict[str, float]:
    total = sum(counts.values())
    return {value: counts[value] / total for value in sorted(counts)} if total else {}


def agreement_at_test(cell: CollectedCell, arm: str) -> dict[str, Any]:
    """With the supervisor's identity answers on test, pooled over seeds."""
    ids = cell.test.ids
    student = [answers.get(i) for answers in cell.arm_answers[arm] for i in ids]
    teacher = [seed.floor.get(i) for seed in cell.seeds for i in ids]
    right = np.concatenate([cell.test.right(seed.floor) for seed in cell.seeds]).astype(bool)
    return asdict(ev.agreement_with_supervisor(student, teacher, right))

"""How sure trained students say they are: calibration at the test, and what is left of it out of distribution."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from jaxtyping import Bool, Float, Int

from outgrow import evaluation as ev
from outgrow.core.gold import choose_objective
from outgrow.experiment.lab import identity_answers, identity_values
from outgrow.experiment.out_of_distribution import answer_shifted, shifted_questions
from outgrow.experiment.results.cell import CollectedCell, split_of
from outgrow.experiment.results.views import Split
from outgrow.tasks.equivalence import in_form_of

Matrix = Float[np.ndarray, "seeds _"]
DRAWS = 500


class Stated(NamedTuple):
    """What a student says of its own answers; None where not all of them have it.

    Attributes:
        confidence: probability of the most probable answer.
        vacuity: K / S of a Dirichlet distribution over K answers, 0 to 1.
        reading: how the student's scores become probabilities (`outgrow.models.readings`).
    """

    confidence: Matrix | None
    vacuity: Matrix | None
    reading: str | None


def confidence_record(cell: CollectedCell, arm: str) -> dict[str, Any]:
    """The blocks `confidence` and `out_of_distribution` of an arm; None where there are no numbers."""
    students = [cell.student(arm, seed) for seed in cell.recipe.seeds]
    inside = stated([cell.runner.answer(each, "test", seed=0, full=False) for each in students], cell.test.ids)
    right = cell.scores[f"arm:{arm}"].astype(bool)
    blocks = {
        "confidence": calibration(inside, right, cell.test.groups, cell.recipe.seeds),
        "out_of_distribution": None,
    }
    if (shifted := shifted_questions(cell.runner)) is None:
        return blocks
    gold = choose_objective(shifted.table("gold", "test"), cell.recipe.objective)
    split, answers = split_of(shifted.table("examples", "test"), gold), []
    for student in students:
        table = answer_shifted(cell.runner, student)
        assert table is not None
        answers.append(in_form_of(shifted.task, split.gold, table))
    return {**blocks, "out_of_distribution": shift(inside, cell.test.groups, answers, split)}


def stated(tables: Sequence[pa.Table], ids: Sequence[str]) -> Stated:
    """What the answers of each seed say of these questions."""
    first = [identity_answers(table) for table in tables]
    shares = [dict(zip(t["example_id"].to_pylist(), t["probabilities"].to_pylist(), strict=True)) for t in first]
    highest = [[max((p for _, p in own.get(i) or ()), default=np.nan) for i in ids] for own in shares]
    metadata = [table.schema.metadata or {} for table in tables]
    unsure = [json.loads(facts.get(b"uncertainty", b"{}")) for facts in metadata]
    reading = metadata[0].get(b"reading", b"").decode() or None
    vacuity = [[own.get(i, np.nan) for i in ids] for own in unsure]
    dirichlet = reading is not None and reading.startswith("dirichlet")
    return Stated(_complete(highest), _complete(vacuity) if dirichlet else None, reading)


def _complete(rows: Sequence[Sequence[float]]) -> Matrix | None:
    matrix = np.array(rows, dtype=np.float64)
    return None if np.isnan(matrix).any() else matrix


def calibration(
    inside: Stated,
    right: Bool[np.ndarray, "seeds questions"],
    groups: Int[np.ndarray, "questions"],
    seeds: Sequence[int],
) -> dict[str, Any] | None:
    """Mean confidence, mean vacuity, and per seed the calibration error (`outgrow.evaluation.Calibration`)."""
    if inside.confidence is None:
        return None
    sure = np.minimum(inside.confidence, 1.0)  # sums of probabilities may exceed it by rounding
    errors = [
        asdict(ev.ece(own, hit, groups=groups, draws=DRAWS, seed=seed))
        for own, hit, seed in zip(sure, right, seeds, strict=True)
    ]
    return {
        "reading": inside.reading,
        "mean": estimate(sure, groups),
        "vacuity": estimate(inside.vacuity, groups),
        "seeds": [
            {"seed": seed, **{name: error[name] for name in ("value", "expected", "debiased", "low", "high")}}
            for seed, error in zip(seeds, errors, strict=True)
        ],
    }


def shift(
    inside: Stated, groups: Int[np.ndarray, "questions"], answers: Sequence[pa.Table], split: Split
) -> dict[str, Any]:
    """Accuracy, confidence and vacuity out of distribution, and how well these two tell where a question is from.

    Args:
        inside: what the student says of its answers to the test.
        groups: of the test's questions.
        answers: to the other questions, per seed, in gold's form.
        split: these questions.
    """
    outside = stated(answers, split.ids)
    right = np.stack([split.right(identity_values(table)) for table in answers])

    def told(sign: int, own: Matrix | None, other: Matrix | None) -> dict[str, Any] | None:
        if own is None or other is None:
            return None
        within = np.arange(len(groups) + len(split.groups)) < len(groups)
        parts = [ev.auroc_contributions(row, within) for row in sign * np.hstack([own, other])]
        return estimate(np.stack(parts), np.concatenate([groups, split.groups + groups.max() + 1]))

    return {
        "questions": len(split.ids),
        "accuracy": estimate(right, split.groups),
        "confidence": estimate(outside.confidence, split.groups),
        "vacuity": estimate(outside.vacuity, split.groups),
        "auroc": told(1, inside.confidence, outside.confidence),
        "auroc_vacuity": told(-1, inside.vacuity, outside.vacuity),
    }


def estimate(values: Matrix | None, groups: Int[np.ndarray, "questions"]) -> dict[str, Any] | None:
    """A mean over seeds and questions with its interval (definition 8), and the mean of each seed."""
    if values is None:
        return None
    interval = ev.Joint({"": values}, groups).interval({"": 1})
    return {"value": interval.value, "low": interval.low, "high": interval.high, "per_seed": values.mean(1).tolist()}

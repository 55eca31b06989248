"""From the store's artefacts to numbers: the one place where students' answers meet gold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from outgrow.experiment.cells import cells_of
from outgrow.experiment.graph import Done
from outgrow.experiment.question_tables import questions_of
from outgrow.experiment.results.arm import arm_record, measured
from outgrow.experiment.results.cell import CollectedCell, read_split
from outgrow.experiment.results.comparisons import comparisons, further_metrics, strata
from outgrow.experiment.results.deceived import deception_record
from outgrow.experiment.results.estimates import accuracy_by_decoys, accuracy_by_votes, calibration_quality
from outgrow.experiment.results.floors import floors_of
from outgrow.experiment.results.labels import label_quality
from outgrow.experiment.results.models import models_of
from outgrow.experiment.results.plain import clean, without_places
from outgrow.experiment.results.shared_errors import shared_errors
from outgrow.experiment.results.tables import answers_table, labels_table
from outgrow.experiment.results.views import tuned_on
from outgrow.experiment.step_runner import StepRunner
from outgrow.recipe.recipe import Recipe
from outgrow.reliability import agreement
from outgrow.store import Store
from outgrow.tasks.benchmarks import BenchmarkTask
from outgrow.tasks.splits import contradictions, normalise_text, overlap
from outgrow.tasks.table import TableTask

FORMAT = 2


def collect(
    recipe: Recipe, store: Store, done: Sequence[Done]
) -> tuple[dict[str, Any], dict[str, pa.Table], list[Any]]:
    """Results, tables and models of a finished run.

    Returns:
        results: what becomes `results.json`; no time, host or path in it.
        tables: file name to table; of several cells each in a folder of its own.
        models: name, hash and size of each model, for the provenance.
    """
    runner = StepRunner(recipe, store, questions=questions_of(recipe))
    runner.reword()
    cells = [CollectedCell(runner, place, cell, done) for place, cell in enumerate(cells_of(recipe))]
    results = {
        "format": FORMAT,
        "name": recipe.name,
        "recipe": without_places(recipe.resolved()),
        "seeds": list(recipe.seeds),
        "task": task_record(runner),
        "primary": None if recipe.primary is None else recipe.primary.model_dump(),
        "cells": [cell_record(cell) for cell in cells],
    }
    tables = {f"{cell.folder}{name}": table for cell in cells for name, table in tables_of(cell).items()}
    return clean(results), tables, models_of(runner, recipe)


def task_record(runner: StepRunner) -> dict[str, Any]:
    """The task's splits, and what a reader should know about them."""
    tables = {name: runner.examples(name) for name in runner.task.splits}
    splits = {name: read_split(runner, name) for name in tables}
    mix = {name: dict(sorted(Counter(split.strata).items())) for name, split in splits.items()}
    questions, golds = [], []
    for split in splits.values():
        for i, question, choices in zip(split.ids, split.questions, split.choices, strict=True):
            questions.append((normalise_text(question), tuple(choices or ())))
            golds.append(split.gold[i])
    return {
        "name": runner.task.name,
        "splits": {
            name: {"questions": len(split.ids), "groups": len(set(split.groups.tolist()))}
            for name, split in splits.items()
        },
        "overlap": overlap(tables),
        "contradictory_gold": len(contradictions(questions, golds)),
        "audit": asdict(runner.plain_task.audit) if isinstance(runner.plain_task, BenchmarkTask | TableTask) else None,
        "mix": mix if any(set(counts) != {""} for counts in mix.values()) else None,
    }


def cell_record(cell: CollectedCell) -> dict[str, Any]:
    """One entry of `cells`."""
    recipe = cell.recipe
    supervisor = recipe.supervisors[cell.cell.supervisors[0]]
    return {
        "name": cell.cell.name,
        "supervisors": [recipe.supervisors[i].name for i in cell.cell.supervisors],
        "student": {
            "name": recipe.student_names[cell.cell.student],
            "model": recipe.students[cell.cell.student].model,
        },
        "supervisor": {
            "name": supervisor.name,
            "model": supervisor.described,
            "kind": supervisor.kind,
            **({"tuned_on": tuned_on(cell.seeds[0].supervisor)} if getattr(supervisor, "gold", None) else {}),
            "unanswered_test": cell.unanswered,
            "missing_share": 0.0 if supervisor.kind == "file" else _missing_share(cell),
            "floor": measured(cell.paired, "floor"),
            "vote": measured(cell.paired, "vote"),
            "variants": _variants(cell),
            "samples": recipe.ask.samples,
            **several(cell),
        },
        "zero_shot": measured(cell.paired, "zero_shot"),
        "arms": [arm_record(cell, arm) for arm in recipe.methods],
        "comparisons": comparisons(cell),
        "reliability": {
            **label_quality(cell.seeds, cell.pool, **recipe.reliability.settings()),
            "label_free": _label_free(cell),
            "calibration": calibration_quality(cell.seeds, cell.pool, cell.known),
        },
        "strata": strata(cell),
        "metrics": further_metrics(cell),
        "slot_types": [] if cell.slots is None else cell.slots.of_types(cell.test.ids),
        "deception": deception_record(cell),
        "shared_errors": shared_errors(cell),
    }


def several(cell: CollectedCell) -> dict[str, Any]:
    """Each of a cell's several supervisors with its accuracy, and the floors that come of them."""
    if not cell.members:
        return {}
    configs = [cell.recipe.supervisors[place] for place in cell.cell.supervisors]
    return {
        "members": [
            {
                "name": member.name, "model": config.described, "kind": config.kind, "tuned_on": member.tuned_on,
                "unanswered_test": member.unanswered, "accuracy": measured(cell.paired, f"floor:{member.name}"),
            }
            for member, config in zip(cell.members, configs, strict=True)
        ],
        "floors": [
            {
                "name": floor.name, "supervisor": floor.supervisor, "reason": floor.reason,
                "accuracy": measured(cell.paired, floor.arm),
            }
            for floor in floors_of(cell)
        ],
    }  # fmt: skip


def _variants(cell: CollectedCell) -> int:
    return min(cell.recipe.ask.variants, cell.runner.task.n_variants)


def _missing_share(cell: CollectedCell) -> float:
    """Share of the pool's wordings that questions lack, of those a model or server should have been asked."""
    wanted = _variants(cell) * cell.recipe.ask.samples
    return 1 - float(np.mean([seed.pool_answers.num_rows for seed in cell.seeds])) / (wanted * len(cell.pool.ids))


def _label_free(cell: CollectedCell) -> dict[str, Any]:
    """Accuracy of the labels without gold: by decoys where the recipe asks for them, else from the votes."""
    runner, seeds, pool = cell.runner, cell.seeds, cell.pool
    if runner.decoys is None:
        sizes = cell.n_options(pool)
        options = dict(zip(pool.ids, sizes, strict=True)) if all(size > 1 for size in sizes) else None
        return accuracy_by_votes(runner.steps, seeds, pool, options)
    settings = cell.recipe.reliability.settings()
    labels = [agreement(runner.answer_decoys(s.supervisor, seed=s.seed), seed=s.seed, **settings) for s in seeds]
    return accuracy_by_decoys(seeds, pool, labels, runner.decoys.key)


def tables_of(cell: CollectedCell) -> dict[str, pa.Table]:
    """File name to table."""
    checkpoints = [
        table.append_column("arm", pa.array([arm] * table.num_rows)).append_column(
            "seed", pa.array([seed] * table.num_rows, pa.int64())
        )
        for (arm, seed), done in cell.students.items()
        if done.student is not None and (table := cell.runner.checkpoint_answers(done.student)) is not None
    ]
    return {
        **({"checkpoint_answers.parquet": pa.concat_tables(checkpoints)} if checkpoints else {}),
        "answers.parquet": answers_table(cell.seeds, cell.test, cell.zero_answers, cell.arm_answers),
        "pool_labels.parquet": labels_table(cell.seeds, cell.pool),
    }

"""The training loop, one for every objective and head."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch

from outgrow.core.errors import ConfigError, DataError
from outgrow.core.names import unknown
from outgrow.models.loaded import Loaded
from outgrow.models.prompts import check_first_tokens
from outgrow.models.ranks import ranks
from outgrow.models.readings import READINGS, of_evidence
from outgrow.models.token_readings import TOKEN_READINGS, read_by
from outgrow.objectives.base import Objective
from outgrow.training.config import TrainConfig
from outgrow.training.encode import encode
from outgrow.training.memory import return_memory
from outgrow.training.rows import TrainRow, check_rows
from outgrow.training.run import Training, Visits
from outgrow.training.trackers import Tracker


@dataclass(frozen=True)
class Fit:
    """What happened in a training.

    Attributes:
        history: per optimiser step: `step` (1 is the first), `loss` (nats), `lr`, `grad_norm` before clipping, `tokens`
            read or predicted.
        scores: per checkpoint, (step, score); empty without an `evaluate`.
        chosen_step: the checkpoint whose weights the model now has: the best score, the earliest of equals.
        n_rows: rows trained on.
        removed_rows: rows left out because their weight is 0.
        truncated_prompts: prompts that lost their beginning to `max_length`.
        boundary_mismatches: targets and options that joint tokenisation with the prompt would have split otherwise.
    """

    history: list[dict[str, int | float]]
    scores: list[tuple[int, float]]
    chosen_step: int
    n_rows: int
    removed_rows: int
    truncated_prompts: int
    boundary_mismatches: int


def fit(
    loaded: Loaded,
    rows: Sequence[TrainRow],
    objective: Objective,
    config: TrainConfig,
    *,
    seed: int,
    total_steps: int,
    work: Path,
    only: Literal["all", "head"] = "all",
    evaluate: Callable[[Loaded], float] | None = None,
    at_checkpoint: Callable[[int, Loaded], None] | None = None,
    progress: Callable[[int, int, float], None] | None = None,
    tracker: Tracker | None = None,
    save_seconds: float = 60.0,
) -> Fit:
    """Train `loaded` in place for `total_steps` optimiser steps and leave it with the chosen weights.

    The step's loss is the sum of weight x row loss over all its rows, divided by the sum of the rows' units (1 each,
    so the number of rows; target tokens under `normalise: token`), over all micro-batches and ranks. A training that
    was stopped at any moment goes on from `work` and ends with the same bits.

    Args:
        loaded: the model to train.
        rows: what to learn, in words.
        objective: the loss.
        config: settings.
        seed: of row order, dropout and a new adapter's weights.
        total_steps: optimiser steps; sets smaller than the budget repeat their rows.
        work: folder for checkpoints, kept across crashes.
        only: `head` trains a classifier's own layer and leaves the rest of the model as it is, without its dropout.
        evaluate: score of a model, higher is better; called for each checkpoint after the last step. Without it the
            last checkpoint is chosen.
        at_checkpoint: called with (step, model) for each checkpoint after the last step, before `evaluate` judges it,
            and again when a training that was stopped goes on; the model is in evaluation mode. Nothing it draws
            changes the training.
        progress: called after each step with (steps done, all steps, loss).
        tracker: is told every step's numbers.
        save_seconds: how often, at most, the state is written to `work`.

    Raises:
        ConfigError: settings that do not go together, or a work folder of another training.
        DataError: a row that cannot be learned from.
        TrainingError: a loss or gradient that is not finite; the message names the step and the rows.
    """
    options: dict[str, Any] = {
        "seed": seed, "total_steps": total_steps, "work": work, "only": only, "save_seconds": save_seconds,
        "visits": Visits(evaluate is not None, at_checkpoint is not None), "evaluate": evaluate,
        "at_checkpoint": at_checkpoint, "progress": progress, "tracker": tracker,
    }  # fmt: skip
    team = ranks()
    if team.shares(loaded):
        return team.call(_fit, rows, objective, config, **options)
    return _fit(loaded, rows, objective, config, **options)


def _fit(
    loaded: Loaded,
    rows: Sequence[TrainRow],
    objective: Objective,
    config: TrainConfig,
    *,
    seed: int,
    total_steps: int,
    work: Path,
    only: str,
    visits: Visits,
    evaluate: Callable[[Loaded], float] | None = None,
    at_checkpoint: Callable[[int, Loaded], None] | None = None,
    progress: Callable[[int, int, float], None] | None = None,
    tracker: Tracker | None = None,
    save_seconds: float,
) -> Fit:
    """One rank's part of `fit`; only rank 0 needs the functions, all know which there are (`visits`)."""
    if total_steps < 1:
        raise ConfigError(f"total_steps is {total_steps}; training needs at least one step")
    kept = check_rows(rows)
    _check_objective(loaded, kept, objective)
    read_by(loaded, objective.reading)
    encoded = encode(loaded, kept, config.max_length)
    if loaded.coder is not None and of_evidence(objective.reading):
        for row, group in zip(kept, encoded.groups, strict=True):
            check_first_tokens(loaded, row.options or (), group.answers, f"training row {row.row_id!r}")
    with torch.random.fork_rng():
        run = Training(loaded, encoded, objective, config, seed, total_steps, work, only)
        run.train(progress, save_seconds, choose=any(visits), tracker=tracker)
        scores = run.choose(evaluate, at_checkpoint, visits) if any(visits) else []
    chosen = _best(scores) if scores else total_steps
    run.finish(chosen, evaluated=bool(scores))
    return_memory()
    if tracker is not None:
        tracker.end(scores, chosen)
    return Fit(
        history=run.history,
        scores=scores,
        chosen_step=chosen,
        n_rows=len(kept),
        removed_rows=len(rows) - len(kept),
        truncated_prompts=encoded.truncated,
        boundary_mismatches=encoded.mismatches,
    )


def _check_objective(loaded: Loaded, rows: Sequence[TrainRow], objective: Objective) -> None:
    """Whether the objective goes with the head and the rows."""
    if objective.reading not in (known := {**READINGS, **TOKEN_READINGS}):
        raise ConfigError(unknown("reading", objective.reading, known))
    if loaded.classes is not None and objective.reading in TOKEN_READINGS:
        raise ConfigError(f"the objective '{objective.name}' is a loss of tokens; load the model with head: lm")
    if loaded.ref.head == "reward" and objective.reading != "softmax":
        raise ConfigError(
            f"the objective '{objective.name}' learns scores that are read by {objective.reading!r}, and of rewards "
            "only differences count; load the model with head: classifier or lm"
        )
    if loaded.classes is not None:
        return
    bare = next((row for row in rows if row.options is None), None)
    if (objective.of_options is True or of_evidence(objective.reading)) and bare is not None:
        raise DataError(
            f"training row {bare.row_id!r} has no options, but the objective '{objective.name}' weighs options against "
            "each other; give the row its options (a hard target is one of them), or load the model with head: "
            "classifier"
        )


def _best(scores: Sequence[tuple[int, float]]) -> int:
    """The step of the highest score, the earliest of equals; scores that are NaN lose."""
    return max(scores, key=lambda pair: (-math.inf if math.isnan(pair[1]) else pair[1], -pair[0]))[0]

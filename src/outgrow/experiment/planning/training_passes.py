"""The micro-batches of a training: rows drawn, packed and cut by the code that trains, and never computed."""

from __future__ import annotations

from collections.abc import Sequence

from outgrow.experiment.work import Pass
from outgrow.models.batching import Pack, cut_step, make_pack
from outgrow.models.heads import LanguageHead
from outgrow.models.loaded import Loaded
from outgrow.training.config import TrainConfig
from outgrow.training.encode import encode
from outgrow.training.rows import TrainRow
from outgrow.training.schedule import numbered, rows_of_step

MOST_STEPS, LEAST_STEPS = 60, 4


def training_passes(
    loaded: Loaded, rows: list[TrainRow], config: TrainConfig, steps: int, *, most: int, overhead: int, random: bool,
    devices: int = 1,
) -> tuple[list[Pass], int]:  # fmt: skip
    """Forward passes of a training's first steps, with the row order of seed 0.

    Args:
        loaded: a model that counts (`recording.counting`), with ids as they are.
        rows: all rows, checked.
        config: settings.
        steps: optimiser steps of the training.
        most: rows that are looked at, about.
        overhead: positions that one more micro-batch costs.
        random: training draws numbers, so rows share no positions, and steps are cut as for one device.
        devices: that share the micro-batches of a step.

    Returns:
        The passes, and the number of steps that they are of.
    """
    together = numbered([row.question or row.row_id for row in rows]) if config.together else None
    simulated = min(steps, MOST_STEPS, max(LEAST_STEPS, most // config.batch_size))
    drawn = [
        [int(row) for row in rows_of_step(step, len(rows), config.batch_size, 0, together)] for step in range(simulated)
    ]
    known = sorted({row for chosen in drawn for row in chosen})
    encoded = encode(loaded, [rows[row] for row in known], config.max_length)
    groups = dict(zip(known, encoded.groups, strict=True))
    head = loaded.head
    share = not isinstance(head, LanguageHead) or head.shares(encoded.groups)
    join = share and isinstance(head, LanguageHead) and not random
    passes = []
    for chosen in drawn:
        step = [groups[row] for row in chosen]
        cut = cut_step(
            step, share=share, join=join, budget=config.micro_batch_tokens, overhead=overhead,
            devices=1 if random else devices,
        )  # fmt: skip
        passes += [micro_pass([make_pack([step[i] for i in pack]) for pack in part], share) for part in cut]
    return passes, simulated


def micro_pass(packs: Sequence[Pack], share: bool) -> Pass:
    """The forward pass that `batching.collate` makes of these packs; rows without answers are a classifier's."""
    groups = [group for pack in packs for group in pack.groups]
    if not any(group.answers for group in groups):
        lengths = [len(group.prompt) for group in groups]
        return Pass(len(groups), max(lengths), len(groups), sum(lengths))
    if share and any(len(pack.groups) > 1 or len(pack.groups[0].answers) > 1 for pack in packs):
        lengths = [pack.length() for pack in packs]
        places = sum(1 + sum(len(answer) - 1 for answer in group.answers) for group in groups)
    else:
        lengths = [len(group.prompt) + len(answer) - 1 for group in groups for answer in group.answers]
        places = sum(len(answer) for group in groups for answer in group.answers)
    return Pass(len(lengths), max(lengths), places, sum(lengths))

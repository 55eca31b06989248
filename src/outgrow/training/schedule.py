"""How many steps, at which rate, over which rows: pure functions of the configuration, the seed and the step.

Nothing here depends on devices, micro-batches or what ran before, so a run that was stopped goes on with the
same rows and the same rates.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

import numpy as np
from jaxtyping import Int

from outgrow.core.hashing import seed_of
from outgrow.training.config import TrainConfig


def total_steps(n_pool: int, config: TrainConfig) -> int:
    """Optimiser steps of every arm (definition 6): epochs x ceil(n_pool / batch_size), rounded up."""
    return math.ceil(Fraction(str(config.epochs)) * math.ceil(n_pool / config.batch_size))


def checkpoint_steps(total: int, checkpoints: int) -> tuple[int, ...]:
    """Evenly spaced steps, ascending, the last one `total`; fewer than asked when there are fewer steps."""
    wanted = {round(total * (i + 1) / checkpoints) for i in range(checkpoints)}
    return tuple(sorted(step for step in wanted if step > 0))


def learning_rate(step: int, total: int, config: TrainConfig) -> float:
    """Rate of optimiser step `step` (0 is the first): linear warm-up, then the schedule, 0 after the last."""
    warm = math.ceil(config.warmup * total)
    if step < warm:
        return config.learning_rate * (step + 1) / warm
    if config.schedule == "constant":
        return config.learning_rate
    done = (step - warm) / max(1, total - warm)
    left = 1 - done if config.schedule == "linear" else 0.5 * (1 + math.cos(math.pi * done))
    return config.learning_rate * left


def permutation(
    n_rows: int, seed: int, epoch: int, together: Int[np.ndarray, "n_rows"] | None = None
) -> Int[np.ndarray, "n_rows"]:
    """Order of the rows in one epoch, from (seed, epoch) alone.

    Args:
        n_rows: how many.
        seed: of the training.
        epoch: 0 is the first.
        together: a number per row; rows with the same number follow each other, in random order.
    """
    rng = np.random.Generator(np.random.PCG64(seed_of("row order", seed, epoch)))
    order = rng.permutation(n_rows)
    if together is None:
        return order
    place = rng.permutation(int(together.max()) + 1)
    return order[np.argsort(place[together[order]], kind="stable")]


def numbered(names: Sequence[str]) -> Int[np.ndarray, "names"]:
    """Equal names, equal numbers, counted from 0 in order of first appearance."""
    first = {name: number for number, name in enumerate(dict.fromkeys(names))}
    return np.array([first[name] for name in names], dtype=np.int64)


def rows_of_step(
    step: int, n_rows: int, batch_size: int, seed: int, together: Int[np.ndarray, "n_rows"] | None = None
) -> Int[np.ndarray, "batch_size"]:
    """Rows of optimiser step `step`: exactly `batch_size` positions of the endless stream of epochs.

    An epoch is a permutation of all rows; the next one follows without a gap, so small sets repeat and every arm
    sees the same number of rows. `together` as in `permutation`.
    """
    start, stop = step * batch_size, (step + 1) * batch_size
    epochs = [permutation(n_rows, seed, epoch, together) for epoch in range(start // n_rows, (stop - 1) // n_rows + 1)]
    first = start - start // n_rows * n_rows
    return np.concatenate(epochs)[first : first + batch_size]

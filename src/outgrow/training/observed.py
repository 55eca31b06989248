"""What an objective shows of the rows of a step, put back into the order of the step."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from outgrow.objectives.base import Losses


class Shown(NamedTuple):
    """What an objective showed of some rows of a step: their positions in it, metrics and observed values."""

    positions: list[int]
    metrics: dict[str, Tensor]
    observed: dict[str, Tensor]


def shown_of(positions: list[int], losses: Losses) -> Shown:
    """What an objective shows of rows at these positions of a step."""
    metrics, observed = (
        {name: value.detach().cpu() for name, value in values.items()} for values in (losses.metrics, losses.observed)
    )
    return Shown(positions, metrics, observed)


def in_step_order(shown: Sequence[Sequence[Shown]]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Metrics and observed values of all rows of a step, by name, from what each rank has seen."""
    parts = [part for rank in shown for part in rank]
    order = torch.tensor([position for part in parts for position in part.positions]).argsort()
    metrics, observed = (
        {name: torch.cat([values[name] for values in group])[order] for name in group[0]}
        for group in ([part.metrics for part in parts], [part.observed for part in parts])
    )
    return metrics, observed

"""Training: the loop, its schedule, checkpoints, sharding. Importing this room does not import torch; using it does."""

from __future__ import annotations

from typing import TYPE_CHECKING

from outgrow.core.names import lazily
from outgrow.training.config import TrainConfig
from outgrow.training.rows import TrainRow
from outgrow.training.schedule import total_steps

if TYPE_CHECKING:
    from outgrow.training.loop import Fit, fit

__getattr__ = lazily(__name__, {"loop": ["Fit", "fit"]})

__all__ = [
    "Fit",
    "TrainConfig",
    "TrainRow",
    "fit",
    "total_steps",
]

"""Training: the loop, its schedule, checkpoints, sharding. Importing this room does not import torch; using it does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outgrow.core.names import import_lazily
from outgrow.training.config import TrainConfig
from outgrow.training.rows import TrainRow
from outgrow.training.schedule import total_steps

if TYPE_CHECKING:
    from outgrow.training.loop import Fit, fit

_LAZY = {
    "Fit": "outgrow.training.loop",
    "fit": "outgrow.training.loop",
}

__all__ = [
    "Fit",
    "TrainConfig",
    "TrainRow",
    "fit",
    "total_steps",
]


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first used."""
    return import_lazily(__name__, name, _LAZY)

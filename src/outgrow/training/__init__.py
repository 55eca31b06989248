"""Loading, training and asking models. Importing this room does not import torch; using its functions does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outgrow.training.config import Lora, ModelRef, TrainConfig
from outgrow.training.models import available, model_hash, resolve
from outgrow.training.rows import TrainRow
from outgrow.training.schedule import total_steps

if TYPE_CHECKING:
    from outgrow.training.batches import Stage
    from outgrow.training.classifying import classify
    from outgrow.training.generation import Generation, generate
    from outgrow.training.loading import Loaded, load, save
    from outgrow.training.loop import Fit, fit
    from outgrow.training.scoring import OptionScores, score_options

_LAZY = {
    "Stage": "batches",
    "classify": "classifying",
    "Generation": "generation",
    "generate": "generation",
    "Loaded": "loading",
    "load": "loading",
    "save": "loading",
    "Fit": "loop",
    "fit": "loop",
    "OptionScores": "scoring",
    "score_options": "scoring",
}

__all__ = [
    "Fit",
    "Generation",
    "Loaded",
    "Lora",
    "ModelRef",
    "OptionScores",
    "Stage",
    "TrainConfig",
    "TrainRow",
    "available",
    "classify",
    "fit",
    "generate",
    "load",
    "model_hash",
    "resolve",
    "save",
    "score_options",
    "total_steps",
]


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first used."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    try:
        return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
    except ModuleNotFoundError as error:
        from outgrow.errors import PrerequisiteError

        raise PrerequisiteError(
            f'models need the extra "train" ({error}); install it: pip install "outgrow[train]"'
        ) from error

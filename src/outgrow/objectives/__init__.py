"""Losses: one value per row, never reduced. Importing this room does not import torch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from outgrow.core.names import import_lazily
from outgrow.core.registry import Registry
from outgrow.objectives.identity import identity
from outgrow.objectives.imitation import Imitation, imitation
from outgrow.objectives.spec import ObjectiveSpec

OBJECTIVES = Registry("objective", ObjectiveSpec, {"imitation": ObjectiveSpec("imitation", Imitation)})

if TYPE_CHECKING:
    from outgrow.objectives.base import Batch, Losses, Objective, Outputs, Targets, Tokens
    from outgrow.objectives.options import Choices, choices

_LAZY = {
    **dict.fromkeys(("Batch", "Losses", "Objective", "Outputs", "Targets", "Tokens"), "outgrow.objectives.base"),
    **dict.fromkeys(("Choices", "choices"), "outgrow.objectives.options"),
}

__all__ = [
    "OBJECTIVES",
    "Batch",
    "Choices",
    "Imitation",
    "Losses",
    "Objective",
    "ObjectiveSpec",
    "Outputs",
    "Targets",
    "Tokens",
    "choices",
    "identity",
    "imitation",
]


def __getattr__(name: str) -> Any:
    """Import what needs torch when it is first used."""
    return import_lazily(__name__, name, _LAZY)

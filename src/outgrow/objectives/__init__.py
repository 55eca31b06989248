"""Losses: one value per row, never reduced. Importing this room does not import torch."""

from outgrow.core.registry import Registry
from outgrow.objectives.imitation import Imitation, imitation
from outgrow.objectives.spec import ObjectiveSpec

OBJECTIVES = Registry("objective", ObjectiveSpec, {"imitation": ObjectiveSpec("imitation", Imitation)})

__all__ = ["OBJECTIVES", "Imitation", "ObjectiveSpec", "imitation"]

"""Losses: one value per row, never reduced. Importing this room does not import torch."""

from outgrow.objectives.imitation import Imitation, imitation

__all__ = ["Imitation", "imitation"]

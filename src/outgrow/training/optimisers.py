"""Optimisers by name, and their state as tensors and plain numbers."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from outgrow.core.errors import PrerequisiteError
from outgrow.training.config import TrainConfig


def make_optimiser(parameters: Iterable[nn.Parameter], config: TrainConfig) -> torch.optim.Optimizer:
    """AdamW (arXiv 1711.05101), its weight decay on matrices only; `adamw_8bit` keeps moments in 8 bits (2110.02861).

    Raises:
        PrerequisiteError: bitsandbytes is not installed.
    """
    everything = list(parameters)
    decay, flat = [p for p in everything if p.ndim > 1], [p for p in everything if p.ndim <= 1]
    groups = [{"params": decay, "weight_decay": config.weight_decay}, {"params": flat, "weight_decay": 0.0}]
    if config.optimiser == "adamw":
        return torch.optim.AdamW(groups, lr=config.learning_rate, betas=config.betas, fused=True)
    if importlib.util.find_spec("bitsandbytes") is None:
        raise PrerequisiteError(
            f'optimiser: {config.optimiser} needs bitsandbytes; install it: pip install "outgrow[quantise]"'
        )
    from bitsandbytes.optim.adamw import AdamW8bit

    kind: Any = AdamW8bit
    found: torch.optim.Optimizer = kind(groups, lr=config.learning_rate, betas=config.betas)
    return found


def state_of(optimiser: torch.optim.Optimizer, parameter: nn.Parameter) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """What the optimiser keeps of a parameter: tensors, and plain numbers."""
    slots: Mapping[str, Any] = optimiser.state.get(parameter, {})
    tensors = {key: value for key, value in slots.items() if isinstance(value, Tensor)}
    return tensors, {key: value for key, value in slots.items() if key not in tensors}

"""Draws of training, started from a seed."""

from __future__ import annotations

import torch


def seed_dropout(seed: int, device: torch.device) -> None:
    """Start the draws on devices of this kind anew.

    `torch.manual_seed` would do, but for every library of accelerators that is not in use it keeps the call, with a
    written-out stack, for later: a millisecond and some kilobytes in every step.
    """
    torch.default_generator.manual_seed(seed)
    if device.type != "cpu":
        module = torch.get_device_module(device)
        getattr(module, "manual_seed_all", module.manual_seed)(seed)

"""LoRA adapters (arXiv 2106.09685), by `peft`."""

from __future__ import annotations

from typing import Any

import torch

from outgrow.training.config import Lora
from outgrow.training.heads import LanguageHead
from outgrow.training.loading import Loaded
from outgrow.training.quiet import quiet


def add_adapter(loaded: Loaded, lora: Lora, seed: int) -> None:
    """Put a new LoRA adapter on the model; its weights start from `seed`, everything else is frozen."""
    from peft import LoraConfig, get_peft_model

    modules = lora.target_modules if isinstance(lora.target_modules, str) else list(lora.target_modules)
    alpha: Any = lora.alpha  # declared as a whole number there, but fractions work
    config = LoraConfig(r=lora.r, lora_alpha=alpha, lora_dropout=lora.dropout, target_modules=modules)
    config.base_model_name_or_path = loaded.ref.model
    if isinstance(loaded.head, LanguageHead):
        config.task_type = "CAUSAL_LM"
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(seed)
        loaded.adapter = get_peft_model(loaded.model, config)
    loaded.head.model = loaded.adapter.get_base_model()
    loaded.head.eval()


def merge_adapter(loaded: Loaded) -> None:
    """Add the adapter into the weights and drop it."""
    loaded.head.model = loaded.adapter.merge_and_unload()
    loaded.adapter = None

"""LoRA adapters (arXiv 2106.09685), by `peft`."""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers.pytorch_utils import Conv1D

from outgrow.core.errors import ConfigError
from outgrow.models.config import Lora
from outgrow.models.heads import LanguageHead
from outgrow.models.loaded import Loaded
from outgrow.models.quiet import quiet


def add_adapter(loaded: Loaded, lora: Lora, seed: int) -> None:
    """Put a new LoRA adapter on the model; its weights start from `seed`, everything else is frozen.

    Raises:
        ConfigError: its `target_modules` are not in the model, or none that an adapter can be put on.
    """
    from peft import LoraConfig, get_peft_model

    modules = lora.target_modules if isinstance(lora.target_modules, str) else list(lora.target_modules)
    alpha: Any = lora.alpha  # declared as a whole number there, but fractions work
    config = LoraConfig(r=lora.r, lora_alpha=alpha, lora_dropout=lora.dropout, target_modules=modules)
    if isinstance(loaded.head, LanguageHead):
        config.task_type = "CAUSAL_LM"
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(seed)
        try:
            loaded.adapter = get_peft_model(loaded.model, config)
        except (ValueError, TypeError, AttributeError) as error:
            layers = [name for name, part in loaded.model.named_modules() if isinstance(part, (nn.Linear, Conv1D))]
            matrices = dict.fromkeys(name.rsplit(".", 1)[-1] for name in layers)
            raise ConfigError(
                f"lora.target_modules {modules!r} names no matrix of {loaded.ref.model} that an adapter can be put on; "
                + (f"it has {', '.join(matrices)}; name some of them, give a regular expression that matches whole "
                   "names (like '.*q_proj'), or 'all-linear'" if matrices else "it has none; leave train.lora out")
                + f" (peft: {' '.join(str(error).split())[:200]})"
            ) from None  # fmt: skip
    config.base_model_name_or_path = loaded.ref.model  # peft writes the folder there that the model was read from
    loaded.head.model = loaded.adapter.get_base_model()
    loaded.head.eval()


def merge_adapter(loaded: Loaded) -> None:
    """Add the adapter into the weights and drop it."""
    loaded.head.model = loaded.adapter.merge_and_unload()
    loaded.adapter = None

"""Less memory for more arithmetic."""

from __future__ import annotations

from outgrow.errors import ConfigError
from outgrow.training.loading import Loaded


def recompute_activations(loaded: Loaded) -> None:
    """Keep the input of each transformer block only and compute the rest again on the way back (arXiv 1604.06174).

    Raises:
        ConfigError: the architecture does not support it.
    """
    if not getattr(loaded.model, "supports_gradient_checkpointing", False):
        raise ConfigError(
            f"activation_checkpointing: true is not supported by {type(loaded.model).__name__}; leave it out, or lower "
            "micro_batch_tokens to need less memory"
        )
    loaded.model.gradient_checkpointing_enable(gradient_checkpointing_kwargs={"use_reentrant": False})

"""Less memory for more arithmetic."""

from __future__ import annotations

import contextlib
import ctypes

from outgrow.core.errors import ConfigError
from outgrow.models.heads import LanguageHead
from outgrow.models.loaded import Loaded


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
    whole_layers(loaded, True)  # what is computed again must be what was computed
    model, options = loaded.model, {"use_reentrant": False}
    if hasattr(model, "activation_checkpointing_enable"):
        model.activation_checkpointing_enable(activation_checkpointing_kwargs=options)
    else:  # its name in the first releases of transformers 5
        model.gradient_checkpointing_enable(gradient_checkpointing_kwargs=options)


def keep_activations(loaded: Loaded) -> None:
    """Undo `recompute_activations`."""
    whole_layers(loaded, False)
    model = loaded.model
    disable = getattr(model, "activation_checkpointing_disable", None) or model.gradient_checkpointing_disable
    disable()


def whole_layers(loaded: Loaded, whole: bool) -> None:
    """Whether all positions go through all layers, as recomputation and compilation need it (`training.trimming`)."""
    if isinstance(loaded.head, LanguageHead):
        loaded.head.whole = whole


def return_memory() -> None:
    """Give the system back what the C library's heap holds and nobody uses: passes of many shapes leave holes in it.

    Once per training, since it costs tens of milliseconds, and the pages have to be fetched again. glibc alone has it.
    """
    with contextlib.suppress(OSError, AttributeError, TypeError):
        ctypes.CDLL(None).malloc_trim(0)

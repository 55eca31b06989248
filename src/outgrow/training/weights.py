"""Which weights a training changes."""

from __future__ import annotations

from outgrow.core.errors import ConfigError
from outgrow.core.hashing import seed_of
from outgrow.models.adapters import add_adapter, merge_adapter
from outgrow.models.loaded import Loaded
from outgrow.training.config import TrainConfig


def open_weights(loaded: Loaded, config: TrainConfig, seed: int, only: str) -> None:
    """Put the adapter in place, or open all weights, or those of the classifier alone.

    Raises:
        ConfigError: all weights of a quantised model, or the head alone where there is none or with an adapter.
    """
    if only == "head":
        if loaded.classes is None:
            raise ConfigError(
                "only: head trains the layer of head 'classifier' alone, and head 'lm' has no such layer; load the "
                "model with head: classifier, or train all of it (only: all) or an adapter (train.lora: {})"
            )
        if config.lora is not None:
            raise ConfigError("only: head leaves the rest of the model as it is, so there is nothing for train.lora")
        if loaded.adapter is not None:
            merge_adapter(loaded)
        frozen = {id(parameter) for parameter in loaded.model.base_model.parameters()}
        for parameter in loaded.head.parameters():
            parameter.requires_grad_(id(parameter) not in frozen)
        return
    if config.lora is None and loaded.ref.quantise is not None:
        raise ConfigError(
            f"a model with quantise: {loaded.ref.quantise} has no weights that could be trained; "
            "train an adapter (train.lora: {}), or leave quantise out"
        )
    if config.lora is not None:
        if loaded.adapter is not None:
            merge_adapter(loaded)
        add_adapter(loaded, config.lora, seed_of("adapter", seed))
        return
    if loaded.adapter is not None:
        merge_adapter(loaded)
    loaded.head.requires_grad_(True)

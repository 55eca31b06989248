"""Adapters that `peft` wrote, merged into the models they were trained on."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

from outgrow.core.errors import ConfigError, DataError
from outgrow.models.checks import ANEW, check_weights
from outgrow.models.config import ModelRef


def merged(model: Any, folder: Path, ref: ModelRef) -> Any:
    """The model with the adapter in a folder, as `peft` writes it, added into its weights.

    Raises:
        ConfigError: the model is quantised.
        DataError: the adapter's files are broken, or its weights are not those of an adapter for this model.
    """
    from peft import PeftModel, get_peft_model_state_dict
    from safetensors import safe_open

    if ref.quantise is not None:
        raise ConfigError(
            f"quantise: {ref.quantise} and the adapter {folder}: weights in few bits cannot take an adapter in; leave "
            "quantise out, or merge the adapter and save the whole model first"
        )
    check_weights(folder)
    try:
        with warnings.catch_warnings(action="ignore"):  # missing weights are looked for below
            whole = PeftModel.from_pretrained(model, str(folder))
    except Exception as error:
        raise DataError(
            f"the adapter in {folder} cannot be put on {ref.model} ({type(error).__name__}: "
            f"{' '.join(str(error).split())[:400]}); is that the model it was trained on?"
        ) from error
    with safe_open(folder / "adapter_model.safetensors", "pt") as file:
        there = set(file.keys())
    if lost := sorted(there ^ set(get_peft_model_state_dict(whole, save_embedding_layers=False))):
        raise DataError(
            f"{folder / 'adapter_model.safetensors'}: {len(lost)} weights such as {lost[0]!r} are not those of an "
            f"adapter for {ref.model}; is that the model it was trained on? If so, {ANEW}"
        )
    return whole.merge_and_unload()

"""A model's files looked over, so that what is broken is named before or instead of a library's own error."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from outgrow.core.errors import DataError, OutgrowError, PrerequisiteError
from outgrow.models.files import ADAPTER, read_json, unknown_model

ANEW = "fetch or save the model anew"


def check_texts(folder: Path) -> None:
    """Look over the JSON files of a model's folder.

    Raises:
        DataError: one is no mapping, or the tokenizer's holds no tokenizer.
    """
    for file in (folder / name for name in ("config.json", ADAPTER, "tokenizer_config.json", "tokenizer.json")):
        if file.is_file() and not read_json(file).get("model") and file.name == "tokenizer.json":
            raise DataError(f"{file} holds no tokenizer: it has no 'model'; {ANEW}")


def check_weights(folder: Path) -> None:
    """Look over the files of weights in a model's folder, by their headers.

    Raises:
        DataError: there are none but pickles, which can run any code, or one is cut off.
    """
    from safetensors import safe_open

    files = sorted(folder.glob("*.safetensors"))
    if not files:
        pickles = sorted(file.name for kind in ("*.bin", "*.pt", "*.pth", "*.ckpt") for file in folder.glob(kind))
        raise DataError(
            f"the folder {folder} has no weights that are read here (*.safetensors)"
            + (f"; {pickles[0]} is a pickle, which can run any code. If you trust it, convert it: python -c "
               f"\"from transformers import AutoModelForCausalLM as M; m = M.from_pretrained({str(folder)!r}, "
               f"use_safetensors=False); m.save_pretrained({str(folder)!r})\"" if pickles else f"; {ANEW}")
        )  # fmt: skip
    for file in files:
        try:
            with safe_open(file, "pt"):
                pass
        except Exception as error:  # an exception of the library's own
            raise DataError(f"{file} is cut off or damaged ({error}); {ANEW}") from None


def check_model(model: Any, tokenizer: Any, place: str) -> None:
    """Look over a model in memory.

    Raises:
        DataError: a weight is not finite, or the tokenizer has tokens that the model has no embedding for.
    """
    kinds = (torch.float32, torch.float64, torch.bfloat16, torch.float16)
    for name, weight in model.named_parameters():
        if weight.dtype in kinds and not bool(torch.isfinite(weight).all()):
            bad = int((~torch.isfinite(weight)).sum())
            raise DataError(
                f"the weights of {place} are broken: {bad} of {weight.numel()} numbers in {name!r} are not finite; "
                f"{ANEW}"
            )
    rows = getattr(getattr(model.get_input_embeddings(), "weight", None), "shape", (1 << 62,))[0]
    far = {int(number): str(token) for number, token in tokenizer.added_tokens_decoder.items() if number >= rows}
    if tokenizer.vocab_size > rows:
        far[tokenizer.vocab_size - 1] = str(tokenizer.convert_ids_to_tokens(tokenizer.vocab_size - 1))
    if lost := {number: token for number, token in far.items() if token != tokenizer.pad_token}:
        number, token = min(lost.items())
        raise DataError(
            f"the tokenizer of {place} has {len(lost)} tokens that the model has no embedding for, such as {token!r} "
            f"with id {number} of {rows} rows; resize the embedding (model.resize_token_embeddings(len(tokenizer))) "
            "and save the model, or take these tokens out of tokenizer.json"
        )


def unreadable(model: str, place: str, part: str, error: Exception) -> OutgrowError:
    """What to raise where a library cannot read `part` of a model.

    Args:
        model: its name in the recipe.
        place: folder or hub name it is read from.
        part: the file, or the kind of files.
        error: what the library raised.
    """
    said = f"{type(error).__name__}: {' '.join(str(error).split())[:600]}"
    if Path(place).is_dir():
        return DataError(f"the model in {place} cannot be loaded from its {part} ({said}); mend that, or {ANEW}")
    return PrerequisiteError(f"{unknown_model(model)} Its {part} cannot be loaded: {said}")

"""Shapes of well-known models, so that a plan needs no download; each as in the `config.json` on its hub page."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from outgrow.core.errors import ConfigError
from outgrow.core.names import closest
from outgrow.models.config import ModelRef
from outgrow.models.files import base_of, read_json, resolve
from outgrow.models.shapes import Shape, read_shape, shape_of


def _gated(
    family: str, layers: int, hidden: int, heads: int, kv: int, inner: int, vocabulary: int, positions: int,
    tied: bool = False, head_dim: int | None = None,
) -> dict[str, Any]:  # fmt: skip
    return {
        "model_type": family, "num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": heads,
        "num_key_value_heads": kv, "intermediate_size": inner, "vocab_size": vocabulary,
        "max_position_embeddings": positions, "tie_word_embeddings": tied, "head_dim": head_dim or hidden // heads,
    }  # fmt: skip


def _gpt2(layers: int, hidden: int, heads: int) -> dict[str, Any]:
    return {
        "model_type": "gpt2", "n_layer": layers, "n_embd": hidden, "n_head": heads, "vocab_size": 50257,
        "n_positions": 1024,
    }  # fmt: skip


def _pythia(layers: int, hidden: int, heads: int, vocabulary: int = 50304) -> dict[str, Any]:
    return {
        "model_type": "gpt_neox", "num_hidden_layers": layers, "hidden_size": hidden, "num_attention_heads": heads,
        "intermediate_size": 4 * hidden, "vocab_size": vocabulary, "max_position_embeddings": 2048,
    }  # fmt: skip


LLAMA2_70B = _gated("llama", 80, 8192, 64, 8, 28672, 32000, 4096)
LLAMA3_70B = _gated("llama", 80, 8192, 64, 8, 28672, 128256, 131072)
LLAMA3_8B = _gated("llama", 32, 4096, 32, 8, 14336, 128256, 8192)

KNOWN: Mapping[str, Mapping[str, Any]] = {
    "openai-community/gpt2": _gpt2(12, 768, 12),
    "openai-community/gpt2-medium": _gpt2(24, 1024, 16),
    "openai-community/gpt2-large": _gpt2(36, 1280, 20),
    "openai-community/gpt2-xl": _gpt2(48, 1600, 25),
    "EleutherAI/pythia-70m": _pythia(6, 512, 8),
    "EleutherAI/pythia-160m": _pythia(12, 768, 12),
    "EleutherAI/pythia-410m": _pythia(24, 1024, 16),
    "EleutherAI/pythia-1.4b": _pythia(24, 2048, 16),
    "EleutherAI/pythia-2.8b": _pythia(32, 2560, 32),
    "Qwen/Qwen2.5-0.5B": _gated("qwen2", 24, 896, 14, 2, 4864, 151936, 32768, tied=True),
    "Qwen/Qwen2.5-1.5B": _gated("qwen2", 28, 1536, 12, 2, 8960, 151936, 131072, tied=True),
    "Qwen/Qwen2.5-7B": _gated("qwen2", 28, 3584, 28, 4, 18944, 152064, 131072),
    "Qwen/Qwen3-0.6B": _gated("qwen3", 28, 1024, 16, 8, 3072, 151936, 40960, tied=True, head_dim=128),
    "Qwen/Qwen3-4B": _gated("qwen3", 36, 2560, 32, 8, 9728, 151936, 40960, tied=True, head_dim=128),
    "Qwen/Qwen3-8B": _gated("qwen3", 36, 4096, 32, 8, 12288, 151936, 40960, head_dim=128),
    "meta-llama/Llama-2-7b-hf": _gated("llama", 32, 4096, 32, 32, 11008, 32000, 4096),
    "meta-llama/Llama-2-13b-hf": _gated("llama", 40, 5120, 40, 40, 13824, 32000, 4096),
    "meta-llama/Llama-2-70b-hf": LLAMA2_70B,
    "meta-llama/Meta-Llama-3-8B": LLAMA3_8B,
    "meta-llama/Llama-3.1-8B": {**LLAMA3_8B, "max_position_embeddings": 131072},
    "meta-llama/Llama-3.1-70B": LLAMA3_70B,
    "mistralai/Mistral-7B-v0.1": _gated("mistral", 32, 4096, 32, 8, 14336, 32000, 32768),
    "mistralai/Mistral-7B-Instruct-v0.2": _gated("mistral", 32, 4096, 32, 8, 14336, 32000, 32768),
}
"""Hub name to configuration. Tuned versions of the same shape are found by `known`."""

_TUNED = {
    "-Instruct": "", "-instruct": "", "-Chat": "", "-chat-hf": "-hf", "-Base": "", "-deduped": "",
}  # fmt: skip


def known(name: str) -> Mapping[str, Any] | None:
    """The configuration of a well-known model, or of the base model that it was tuned from; None if it is not known."""
    names = [name, *(name.removesuffix(end) + base for end, base in _TUNED.items() if name.endswith(end))]
    names += [f"openai-community/{name}"]
    return next((KNOWN[own] for own in names if own in KNOWN), None)


def find_shape(ref: ModelRef, given: Mapping[str, Shape]) -> Shape:
    """The shape of a recipe's model: as given by hand, from its folder, from the local cache, or well known.

    Raises:
        ConfigError: nothing tells the shape; the message says what to give.
        PrerequisiteError: the extra that carries the model is missing.
    """
    if ref.model in given:
        return given[ref.model].cut(ref.layers)
    ref = base_of(ref) or ref
    place = resolve(ref.model)
    file = _file(place, ref.revision)
    if file is not None:
        return read_shape(file).cut(ref.layers)
    name = str(place)
    config = known(name)
    if config is None:
        near = closest(name, KNOWN)
        raise ConfigError(
            f"the shape of the model {name!r} is not known{f' (did you mean {near!r}?)' if near else ''}; "
            f"give it: --shape '{name}=FOLDER_WITH_CONFIG_JSON', or another model's name, or its numbers: --shape "
            f"'{name}={{model_type: llama, num_hidden_layers: 32, hidden_size: 4096, ...}}'"
        )
    return shape_of(config, name).cut(ref.layers)


def configuration(ref: ModelRef) -> Mapping[str, Any] | None:
    """The configuration of a recipe's model as its `config.json` has it, if it is here or well known."""
    ref = base_of(ref) or ref
    place = resolve(ref.model)
    file = _file(place, ref.revision)
    return known(str(place)) if file is None else read_json(file)


def _file(place: Path | str, revision: str | None) -> Path | None:
    """The `config.json` of a folder, or of a hub model that was fetched before."""
    if isinstance(place, Path):
        return place / "config.json"
    try:
        from huggingface_hub import try_to_load_from_cache
    except ImportError:
        return None
    found = try_to_load_from_cache(place, "config.json", revision=revision)
    return Path(found) if isinstance(found, str) else None


def given_shapes(options: list[str]) -> dict[str, Shape]:
    """Shapes given on the command line as `MODEL=WHAT`.

    Raises:
        ConfigError: an option is not of that form, or says no shape.
    """
    found = {}
    for option in options:
        name, equals, what = option.partition("=")
        if not equals or not name or not what:
            raise ConfigError(f"--shape {option!r}: give MODEL=FOLDER, MODEL=OTHER_MODEL or MODEL={{key: value, ...}}")
        if what.lstrip().startswith("{"):
            try:
                config = yaml.safe_load(what)
            except yaml.YAMLError as error:
                raise ConfigError(f"--shape {option!r}: not a mapping: {error}") from None
            found[name] = shape_of(config, f"--shape {name}")
        elif (config := known(what)) is not None:
            found[name] = shape_of(config, what)
        else:
            if not Path(what).expanduser().exists():
                raise ConfigError(f"--shape {option!r}: {what!r} is neither a folder, a config.json nor a known model")
            found[name] = read_shape(Path(what).expanduser())
    return found

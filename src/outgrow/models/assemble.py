"""Tokenizers and heads from a model's files, whatever its architecture."""

from __future__ import annotations

import importlib.util
import inspect
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float

from outgrow.core.errors import ConfigError, DataError, OutgrowError, PrerequisiteError
from outgrow.models.activation_functions import fuse_activations
from outgrow.models.checks import check_texts, check_weights, unreadable
from outgrow.models.config import ModelRef
from outgrow.models.files import of_world, resolve, tokenizer_of
from outgrow.models.heads import ClassifierHead, LanguageHead, SequenceClassifier
from outgrow.models.merging import merged
from outgrow.models.text import Coder

Head = LanguageHead | ClassifierHead | SequenceClassifier


def make_tokenizer(ref: ModelRef) -> Any:
    """The model's tokenizer; too long texts lose their beginning.

    Raises:
        DataError: its files are broken.
        PrerequisiteError: it cannot be loaded.
    """
    from transformers import AutoTokenizer, PreTrainedTokenizerFast

    ref = tokenizer_of(ref)
    place = str(resolve(ref.model))
    if Path(place).is_dir():
        check_texts(Path(place))
    # To find out what it is `transformers` imports the model's code, which takes long; of shipped models it is known.
    kind: Any = PreTrainedTokenizerFast if of_world(ref.model) else AutoTokenizer
    try:
        return kind.from_pretrained(
            place, revision=ref.revision or "main", trust_remote_code=ref.trust_remote_code, truncation_side="left"
        )
    except Exception as error:  # broken files make libraries raise anything
        raise unreadable(ref.model, place, "tokenizer and config.json", error) from error


def make_head(
    ref: ModelRef,
    classes: tuple[str, ...] | None,
    place: str,
    device: torch.device,
    tokenizer: Any,
    seed: int,
    *,
    fresh: bool = True,
    adapter: Path | None = None,
) -> Head:
    """The model under the head that `ref` asks for.

    Args:
        ref: which head, layers and pooling.
        classes: names of the classes of head `classifier`, else None.
        place: folder or hub name to read configuration and weights from.
        device: where the model will be.
        tokenizer: the model's tokenizer.
        seed: of a new classifier layer.
        fresh: whether a classifier layer stays as it starts; else its weights are read later.
        adapter: folder of an adapter of `peft`'s that is merged into the weights.

    Raises:
        ConfigError: more layers asked for than there are, `head_start: unembedding` of a model without one, or an
            adapter that does not go with the rest.
        DataError: weights are missing from the files, or these are broken.
        PrerequisiteError: the model cannot be loaded.
    """
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification

    dtype = weights_type(ref, device)
    common: dict[str, Any] = {"revision": ref.revision or "main", "trust_remote_code": ref.trust_remote_code}
    if Path(place).is_dir():
        check_texts(Path(place))
    part = "config.json"
    try:
        config = AutoConfig.from_pretrained(place, **common)
        _cut(config, ref.layers)
        options = {
            **common, "config": config, "dtype": dtype, "use_safetensors": True, "output_loading_info": True,
            **_quantisation(ref, device), **_attention(ref, device),
        }  # fmt: skip
        if Path(place).is_dir():
            check_weights(Path(place))
        part = "config.json and weights"
        if classes is None:
            model = _complete(AutoModelForCausalLM.from_pretrained(place, **options))
            model = model if adapter is None else merged(model, adapter, ref)
            _plain_generation(model, tokenizer)
            return LanguageHead(model, padding_id(tokenizer, model))
        order = _own_classes(config, classes)
        start = order is None and fresh and ref.head_start == "unembedding"
        if start or adapter is not None:
            if not _causal(config):
                raise ConfigError(
                    f"{'head_start: unembedding' if start else f'the adapter {adapter}'} with head: classifier needs a "
                    f"causal language model, and {ref.model} is none; "
                    + ("leave head_start out (random)" if start else "merge it into the model yourself (peft)")
                )
            model = _complete(AutoModelForCausalLM.from_pretrained(place, **options))
            model = model if adapter is None else merged(model, adapter, ref)
            head = ClassifierHead(model.base_model, len(classes), pooling_of(ref, config), seed)
            if start:
                head.start_from(_unembedding(ref, model, tokenizer, classes))
            return head
        if order is not None:
            return SequenceClassifier(
                _complete(AutoModelForSequenceClassification.from_pretrained(place, **options)), order
            )
        backbone = AutoModel.from_pretrained(place, **options, **_no_pooler(config))
        return ClassifierHead(_complete(backbone), len(classes), pooling_of(ref, config), seed)
    except OutgrowError:
        raise
    except Exception as error:  # broken files make libraries raise anything
        raise unreadable(ref.model, place, part, error) from error


def weights_type(ref: ModelRef, device: torch.device) -> torch.dtype:
    """What the weights are held in; `auto` is bfloat16 on a GPU that has it, else float32."""
    if ref.dtype == "auto":
        return torch.bfloat16 if device.type == "cuda" and torch.cuda.is_bf16_supported() else torch.float32
    found: torch.dtype = getattr(torch, ref.dtype)
    return found


def _quantisation(ref: ModelRef, device: torch.device) -> dict[str, Any]:
    """Weights in 8 bits (arXiv 2208.07339) or 4-bit NormalFloat (arXiv 2305.14314), by `bitsandbytes`."""
    if ref.quantise is None:
        return {}
    if importlib.util.find_spec("bitsandbytes") is None:
        raise PrerequisiteError(
            f'quantise: {ref.quantise} needs bitsandbytes; install it: pip install "outgrow[quantise]"'
        )
    from transformers import BitsAndBytesConfig

    kind: Any = BitsAndBytesConfig
    four = {"load_in_4bit": True, "bnb_4bit_quant_type": "nf4", "bnb_4bit_compute_dtype": weights_type(ref, device)}
    config = kind(**(four if ref.quantise == "4bit" else {"load_in_8bit": True}))
    return {"quantization_config": config, "device_map": {"": device}}


def _attention(ref: ModelRef, device: torch.device) -> dict[str, str]:
    """The implementation of attention asked for.

    Raises:
        PrerequisiteError: flash attention without its package or without a GPU.
    """
    if ref.attention == "auto":
        return {}
    if ref.attention == "flash_attention_2" and (
        device.type != "cuda" or importlib.util.find_spec("flash_attn") is None
    ):
        raise PrerequisiteError(
            "attention: flash_attention_2 needs a GPU and the package flash-attn (pip install flash-attn); "
            "attention: sdpa works everywhere"
        )
    return {"attn_implementation": ref.attention}


def padding_id(tokenizer: Any, model: Any) -> int:
    """An id for padding: the tokenizer's own, or any that the model has an embedding for."""
    rows = model.config.get_text_config().vocab_size
    ids = (tokenizer.pad_token_id, tokenizer.eos_token_id)
    return int(next((own for own in ids if own is not None and own < rows), 0))


def _cut(config: Any, layers: int | None) -> None:
    """Keep the first `layers` layers: the rest of the weights is then not read."""
    if layers is None:
        return
    text = config.get_text_config()
    if layers > text.num_hidden_layers:
        raise ConfigError(f"layers: {layers} asked for, but the model has {text.num_hidden_layers}")
    text.num_hidden_layers = layers
    if getattr(text, "layer_types", None):
        text.layer_types = list(text.layer_types)[:layers]


BLOCK = 64
"""Weights of a row that share a scale in 4 bits (bitsandbytes' default)."""


def _complete(found: Any) -> Any:
    """The model, if every weight was in the files; its activation functions in their fast form."""
    model, info = found
    if missing := sorted(info["missing_keys"]):
        raise DataError(
            f"the model's files lack {len(missing)} weights, for instance {missing[:3]}; is the head right?"
        )
    fuse_activations(model)
    for module in model.modules():
        if getattr(module, "support_avx512bf16_for_cpu", False) and module.in_features % BLOCK:
            module.support_avx512bf16_for_cpu = False  # bitsandbytes packs whole blocks only, and fails on others
    return model


def _plain_generation(model: Any, tokenizer: Any) -> None:
    """Keep the tokens that end a text and drop every other setting that came with the model, such as penalties."""
    from transformers import GenerationConfig as Generation

    kind: Any = Generation
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    known = sorted({int(end) for end in [*ends, tokenizer.eos_token_id] if end is not None})
    model.generation_config = kind(eos_token_id=known, pad_token_id=padding_id(tokenizer, model))


def _own_classes(config: Any, classes: tuple[str, ...]) -> list[int] | None:
    """Our classes in the model's own numbering, if it is a classifier of exactly these, or has one output as we do."""
    if not any(name.endswith("ForSequenceClassification") for name in config.architectures or ()):
        return None
    index = {str(label): int(number) for number, label in config.id2label.items()}
    if len(index) == len(classes) == 1:
        return [0]
    return [index[name] for name in classes] if set(index) == set(classes) else None


def _no_pooler(config: Any) -> dict[str, bool]:
    """Base models with an optional pooler are built without: we pool ourselves, and it would never be trained."""
    from transformers import MODEL_MAPPING

    kind = MODEL_MAPPING.get(type(config), None)
    takes = (
        kind is not None and not isinstance(kind, tuple) and "add_pooling_layer" in inspect.signature(kind).parameters
    )
    return {"add_pooling_layer": False} if takes else {}


def _unembedding(
    ref: ModelRef, model: Any, tokenizer: Any, classes: tuple[str, ...]
) -> Float[torch.Tensor, "classes width"]:
    """The output embedding of the first token of each class as it follows a prompt."""
    output, width = model.get_output_embeddings(), int(model.config.get_text_config().hidden_size)
    weight = getattr(output, "weight", None)
    if weight is None or weight.shape[-1] != width or not weight.is_floating_point():
        raise ConfigError(
            f"head_start: unembedding needs a model that scores words by one matrix over its {width} hidden units; "
            f"{ref.model} does it otherwise; leave head_start out (random)"
        )
    first = [ids[0] for ids in Coder(tokenizer).targets(["prompt"] * len(classes), classes)]
    return torch.as_tensor(weight.detach()[first])


def _causal(config: Any) -> bool:
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

    return type(config) in MODEL_FOR_CAUSAL_LM_MAPPING and type(config) not in MODEL_FOR_MASKED_LM_MAPPING


def pooling_of(ref: ModelRef, config: Any) -> str:
    """Causal models are read at the last token, encoders by their mean."""
    if ref.pooling != "auto":
        return ref.pooling
    return "last" if _causal(config) else "mean"

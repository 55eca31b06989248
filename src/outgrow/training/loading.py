"""Models in memory: loaded by one code path whatever their kind, saved as tensors and JSON."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from outgrow.errors import ConfigError, DataError, PrerequisiteError
from outgrow.training.config import Lora, ModelRef
from outgrow.training.heads import ClassifierHead, LanguageHead, SequenceClassifier
from outgrow.training.models import resolve, unknown_model
from outgrow.training.text import Coder

Head = LanguageHead | ClassifierHead | SequenceClassifier
FORMAT = 1


@dataclass
class Loaded:
    """A model ready to answer or to be trained; `fit` changes its weights in place.

    Attributes:
        head: the module that maps token ids to scores; in evaluation mode except inside `fit`.
        tokenizer: the model's Hugging Face tokenizer.
        coder: prompts and targets to token ids (head `lm`), else None.
        pad: id that fills the padding; masked everywhere, so it only has to exist.
        ref: what was loaded.
        classes: names of the classes (head `classifier`), else None.
        device: where the weights are.
        dtype: what the weights are held in.
        adapter: the `peft` wrapper when a LoRA adapter is in place, else None.
    """

    head: Head
    tokenizer: Any
    coder: Coder | None
    pad: int
    ref: ModelRef
    classes: tuple[str, ...] | None
    device: torch.device
    dtype: torch.dtype
    adapter: Any = None

    @property
    def model(self) -> Any:
        """The `transformers` model under the head."""
        return self.head.model

    @property
    def max_length(self) -> int:
        """Most tokens the model has positions for; a large number where it has no limit."""
        limit = getattr(self.model.config.get_text_config(), "max_position_embeddings", None)
        return int(limit) if limit else 1 << 30


def load(ref: ModelRef, classes: Sequence[str] | None = None, *, weights: Path | None = None, seed: int = 0) -> Loaded:
    """Load a model, its tokenizer and its head.

    Args:
        ref: which model and head.
        classes: names of the classes, in order; needed by head `classifier`.
        weights: folder written by `save`, with tuned weights or an adapter for `ref`.
        seed: of a new classifier layer's weights.

    Raises:
        ConfigError: the model is not known, or `weights` was saved with another head or other classes.
        DataError: fewer than two classes, or the same class twice.
        PrerequisiteError: the model is not on this machine and cannot be fetched.
    """
    from accelerate import PartialState
    from accelerate.utils import parse_flag_from_env

    if ref.head == "classifier":
        if classes is None or len(classes) < 2 or len(set(classes)) < len(classes):
            raise DataError(f"head 'classifier' needs at least two different classes, found {classes}")
        if ref.chat:
            raise ConfigError("chat: true needs head 'lm'; a classifier reads the prompt as it is")
        classes = tuple(classes)
    else:
        classes = None
    saved = _saved(weights, ref, classes)
    place = str(weights) if saved == "full" else str(resolve(ref.model))
    device = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU")).device
    dtype = _dtype(ref, device)
    with quiet(), torch.random.fork_rng():  # building a model draws numbers even where weights are read
        torch.manual_seed(seed)
        tokenizer = _tokenizer(ref)
        head = _head(ref, classes, place, dtype, tokenizer, seed)
    head.to(device)
    head.eval()
    coder = Coder(tokenizer, chat=ref.chat) if ref.head == "lm" else None
    loaded = Loaded(head, tokenizer, coder, _pad(tokenizer), ref, classes, device, dtype)
    if weights is not None:
        _load_weights(loaded, weights, saved)
    if isinstance(head, LanguageHead):
        head.probe()
    return loaded


def save(loaded: Loaded, folder: Path) -> None:
    """Write the weights: a complete model in Hugging Face format, or the adapter alone; safetensors and JSON only."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    with quiet():
        if loaded.adapter is None:
            loaded.model.save_pretrained(folder)
            loaded.tokenizer.save_pretrained(folder)
        else:
            from peft import get_peft_model_state_dict

            tensors = get_peft_model_state_dict(loaded.adapter)
            save_file({k: v.contiguous().cpu() for k, v in tensors.items()}, folder / "adapter_model.safetensors")
            loaded.adapter.peft_config["default"].save_pretrained(folder)
    if isinstance(loaded.head, ClassifierHead):
        own = {k: v.contiguous().cpu() for k, v in loaded.head.linear.state_dict().items()}
        save_file(own, folder / "head.safetensors")
    facts = {
        "format": FORMAT,
        "kind": "full" if loaded.adapter is None else "adapter",
        "ref": loaded.ref.model_dump(mode="json"),
        "classes": loaded.classes,
    }
    (folder / "outgrow.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")


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


@contextmanager
def quiet() -> Iterator[None]:
    """Transformers and peft without progress bars, load reports and notes about their own future."""
    from transformers.utils import logging as module

    logging: Any = module
    level, bar = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # between versions of these libraries, not for our users
            yield
    finally:
        logging.set_verbosity(level)
        if bar:
            logging.enable_progress_bar()


def _dtype(ref: ModelRef, device: torch.device) -> torch.dtype:
    if ref.dtype == "auto":
        return torch.float32
    found: torch.dtype = getattr(torch, ref.dtype)
    return found


def _tokenizer(ref: ModelRef) -> Any:
    from transformers import AutoTokenizer

    place = str(resolve(ref.model))
    try:
        return AutoTokenizer.from_pretrained(
            place, revision=ref.revision or "main", trust_remote_code=ref.trust_remote_code, truncation_side="left"
        )
    except (OSError, ValueError) as error:
        raise PrerequisiteError(f"{unknown_model(ref.model)} Its tokenizer cannot be loaded: {error}") from error


def _head(
    ref: ModelRef, classes: tuple[str, ...] | None, place: str, dtype: torch.dtype, tokenizer: Any, seed: int
) -> Head:
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM, AutoModelForSequenceClassification

    common: dict[str, Any] = {"revision": ref.revision or "main", "trust_remote_code": ref.trust_remote_code}
    try:
        config = AutoConfig.from_pretrained(place, **common)
        _cut(config, ref.layers)
        options = {**common, "config": config, "dtype": dtype}
        if classes is None:
            model = _complete(AutoModelForCausalLM.from_pretrained(place, output_loading_info=True, **options))
            _plain_generation(model, tokenizer)
            return LanguageHead(model, _pad(tokenizer))
        order = _own_classes(config, classes)
        if order is not None:
            own = AutoModelForSequenceClassification.from_pretrained(place, output_loading_info=True, **options)
            return SequenceClassifier(_complete(own), order)
        backbone = AutoModel.from_pretrained(place, output_loading_info=True, **options, **_no_pooler(config))
        return ClassifierHead(_complete(backbone), len(classes), _pooling(ref, config), seed)
    except (OSError, ValueError) as error:
        raise PrerequisiteError(f"{unknown_model(ref.model)} It cannot be loaded: {error}") from error


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


def _complete(found: Any) -> Any:
    """The model, if every weight was in the files."""
    model, info = found
    if missing := sorted(info["missing_keys"]):
        raise DataError(
            f"the model's files lack {len(missing)} weights, for instance {missing[:3]}; is the head right?"
        )
    return model


def _plain_generation(model: Any, tokenizer: Any) -> None:
    """Keep the tokens that end a text and drop every other setting that came with the model, such as penalties."""
    from transformers import GenerationConfig as Generation

    kind: Any = Generation
    ends = model.generation_config.eos_token_id
    ends = ends if isinstance(ends, list) else [ends]
    known = sorted({int(end) for end in [*ends, tokenizer.eos_token_id] if end is not None})
    model.generation_config = kind(eos_token_id=known, pad_token_id=_pad(tokenizer))


def _pad(tokenizer: Any) -> int:
    return int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id or 0)


def _own_classes(config: Any, classes: tuple[str, ...]) -> list[int] | None:
    """Our classes in the model's own numbering, if it is a classifier of exactly these."""
    if not any(name.endswith("ForSequenceClassification") for name in config.architectures or ()):
        return None
    index = {str(label): int(number) for number, label in config.id2label.items()}
    return [index[name] for name in classes] if set(index) == set(classes) else None


def _no_pooler(config: Any) -> dict[str, bool]:
    """Base models with an optional pooler are built without: we pool ourselves, and it would never be trained."""
    import inspect

    from transformers import MODEL_MAPPING

    kind = MODEL_MAPPING.get(type(config), None)
    takes = (
        kind is not None and not isinstance(kind, tuple) and "add_pooling_layer" in inspect.signature(kind).parameters
    )
    return {"add_pooling_layer": False} if takes else {}


def _pooling(ref: ModelRef, config: Any) -> str:
    """Causal models are read at the last token, encoders by their mean."""
    from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING

    if ref.pooling != "auto":
        return ref.pooling
    causal = type(config) in MODEL_FOR_CAUSAL_LM_MAPPING and type(config) not in MODEL_FOR_MASKED_LM_MAPPING
    return "last" if causal else "mean"


def _saved(weights: Path | None, ref: ModelRef, classes: tuple[str, ...] | None) -> str | None:
    """What `weights` holds, checked against what is asked for."""
    if weights is None:
        return None
    file = weights / "outgrow.json"
    if not file.is_file():
        raise ConfigError(f"{weights} holds no weights saved by outgrow: outgrow.json is missing")
    facts = json.loads(file.read_text(encoding="utf-8"))
    if facts["ref"]["head"] != ref.head or facts["classes"] != (None if classes is None else list(classes)):
        raise ConfigError(
            f"{weights} was saved with head {facts['ref']['head']!r} and classes {facts['classes']}, "
            f"not with head {ref.head!r} and classes {classes}"
        )
    return str(facts["kind"])


def _load_weights(loaded: Loaded, weights: Path, kind: str | None) -> None:
    from safetensors.torch import load_file

    if kind == "adapter":
        from peft import LoraConfig, set_peft_model_state_dict

        config = LoraConfig.from_pretrained(str(weights))
        modules = config.target_modules
        names = modules if isinstance(modules, str) else tuple(sorted(modules))
        add_adapter(
            loaded,
            Lora(r=config.r, alpha=float(config.lora_alpha), dropout=config.lora_dropout, target_modules=names),
            0,
        )
        set_peft_model_state_dict(loaded.adapter, load_file(weights / "adapter_model.safetensors"))
    if isinstance(loaded.head, ClassifierHead):
        loaded.head.linear.load_state_dict(load_file(weights / "head.safetensors"))

"""Models in memory: loaded by one code path whatever their kind, saved as tensors and JSON."""

from __future__ import annotations

import json
import socket
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.models.assemble import make_head, make_tokenizer, padding_id
from outgrow.models.checks import check_model
from outgrow.models.config import REWARD, Lora, ModelRef
from outgrow.models.files import base_of, resolve
from outgrow.models.heads import ClassifierHead, LanguageHead
from outgrow.models.loaded import Loaded
from outgrow.models.probing import probe
from outgrow.models.quiet import quiet
from outgrow.models.ranks import ranks
from outgrow.models.readings import READINGS
from outgrow.models.text import Coder
from outgrow.models.token_readings import TOKEN_READINGS, read_by

FORMAT = 1


def load(ref: ModelRef, classes: Sequence[str] | None = None, *, weights: Path | None = None, seed: int = 0) -> Loaded:
    """Load a model, its tokenizer and its head.

    Args:
        ref: which model and head.
        classes: names of the classes, in order; needed by head `classifier`.
        weights: folder written by `save`, with tuned weights or an adapter for `ref`.
        seed: of a new classifier layer's weights.

    Raises:
        ConfigError: the model is not known, or `weights` was saved with another head or other classes.
        DataError: fewer than two classes, the same class twice, or files that are broken or no causal model.
        PrerequisiteError: the model is not on this machine and cannot be fetched.
    """
    from accelerate import PartialState
    from accelerate.utils import parse_flag_from_env

    if ref.chat and ref.head != "lm":
        raise ConfigError(f"chat: true needs head 'lm'; head '{ref.head}' reads the prompt as it is")
    if ref.head == "classifier":
        if classes is None or len(classes) < 2 or len(set(classes)) < len(classes):
            raise DataError(f"head 'classifier' needs at least two different classes, found {classes}")
        classes = tuple(classes)
    else:
        classes = REWARD if ref.head == "reward" else None
    saved = _saved(weights, ref, classes)
    base = base_of(ref)
    adapter = None if base is None or saved.get("kind") == "full" else Path(str(resolve(ref.model)))
    place = str(weights) if saved.get("kind") == "full" else str(resolve((base or ref).model))
    device = PartialState(cpu=parse_flag_from_env("ACCELERATE_USE_CPU")).device
    with quiet(), torch.random.fork_rng():  # building a model draws numbers even where weights are read
        torch.manual_seed(seed)
        tokenizer = make_tokenizer(ref)
        head = make_head(base or ref, classes, place, device, tokenizer, seed, fresh=weights is None, adapter=adapter)
        check_model(head.model, tokenizer, place if adapter is None else f"{place} with {adapter}")
    if ref.quantise is None:
        head.to(device)  # quantised weights are put in place as they are read
    head.eval()
    coder = Coder(tokenizer, chat=ref.chat, thinking=ref.thinking) if ref.head == "lm" else None
    if coder is not None:  # texts end where targets do
        head.model.generation_config.eos_token_id = sorted({*head.model.generation_config.eos_token_id, coder.end})
    loaded = Loaded(head, tokenizer, coder, padding_id(tokenizer, head.model), ref, classes, device)
    if weights is not None:
        _load_weights(loaded, weights, saved["kind"])
    if isinstance(head, LanguageHead):
        probe(head, str(weights or place))
    if weights is not None:
        read_by(loaded, saved.get("reading", loaded.reading))
    return loaded


def load_on_all(ref: ModelRef, classes: Sequence[str] | None, *, weights: Path | None, seed: int) -> Loaded:
    """`load` on every rank of the launch; inference and training of the result are then the work of all.

    Raises:
        OutgrowError: as `load`, also where only another rank has failed.
    """
    loaded: Loaded = ranks().call(_load_here, ref, classes, weights=weights, seed=seed)
    return loaded


def _load_here(before: Loaded | None, ref: ModelRef, classes: Any, *, weights: Path | None, seed: int) -> Loaded:
    team, found = ranks(), []
    del before
    team.hold(None)  # memory for the next one

    def attempt() -> None:
        if weights is not None and not weights.is_dir():
            raise PrerequisiteError(
                f"rank {team.rank} on host {socket.gethostname()} does not see {weights}; all hosts of a launch need "
                "the store on a file system that they share"
            )
        found.append(load(ref, classes, weights=weights, seed=seed))

    team.agree(attempt)
    team.hold(found[0])
    return found[0]


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

            tensors = get_peft_model_state_dict(loaded.adapter, save_embedding_layers=False)  # they are as they were
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
        "reading": loaded.reading,
    }
    (folder / "outgrow.json").write_text(json.dumps(facts, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def _saved(weights: Path | None, ref: ModelRef, classes: tuple[str, ...] | None) -> dict[str, Any]:
    """What `weights` holds, checked against what is asked for; empty without any."""
    if weights is None:
        return {}
    file = weights / "outgrow.json"
    if not file.is_file():
        raise ConfigError(f"{weights} holds no weights saved by outgrow: outgrow.json is missing")
    facts: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    if facts["ref"]["head"] != ref.head or facts["classes"] != (None if classes is None else list(classes)):
        raise ConfigError(
            f"{weights} was saved with head {facts['ref']['head']!r} and classes {facts['classes']}, "
            f"not with head {ref.head!r} and classes {classes}"
        )
    if facts.get("reading", "softmax") not in {**READINGS, **TOKEN_READINGS}:
        raise ConfigError(
            f"{weights} was saved with the reading {facts['reading']!r}, which is not known here; "
            f"known are {', '.join([*READINGS, *TOKEN_READINGS])}"
        )
    return facts


def _load_weights(loaded: Loaded, weights: Path, kind: str) -> None:
    """What a complete model's own files do not hold: the adapter, the classifier's layer."""
    from safetensors.torch import load_file

    if kind == "adapter":
        from peft import LoraConfig, set_peft_model_state_dict

        from outgrow.models.adapters import add_adapter

        config = LoraConfig.from_pretrained(str(weights))
        modules = config.target_modules
        names = modules if isinstance(modules, str) else tuple(sorted(modules))
        lora = Lora(r=config.r, alpha=float(config.lora_alpha), dropout=config.lora_dropout, target_modules=names)
        add_adapter(loaded, lora, seed=0)
        set_peft_model_state_dict(loaded.adapter, load_file(weights / "adapter_model.safetensors"))
    if isinstance(loaded.head, ClassifierHead):
        loaded.head.linear.load_state_dict(load_file(weights / "head.safetensors"))

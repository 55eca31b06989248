"""Where a model's files are, and the hash that stands for them in the store's keys. Needs no torch."""

from __future__ import annotations

import hashlib
import json
import re
from importlib import resources
from pathlib import Path
from typing import Any

from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.core.files import file_hash
from outgrow.core.names import closest
from outgrow.models import minilm
from outgrow.models.config import ModelRef

_HASHED = {".json", ".safetensors", ".bin", ".model", ".txt", ".py", ".jinja", ".tiktoken"}
ADAPTER = "adapter_config.json"
WORLDS = ("microworld", "microworld2")
_FOLDER = re.compile(r"^[./~\\]|^[A-Za-z]:[\\/]")


def available() -> tuple[str, ...]:
    """Names of the models that ship with outgrow or with an installed extra."""
    folders = {world: _world(world) for world in WORLDS}
    there = [
        f"{world}/{path.name}"
        for world, root in folders.items()
        for path in (sorted(root.iterdir()) if root.is_dir() else ())
        if (path / "config.json").is_file()
    ]
    return (*there, minilm.NAME)


def of_world(model: str) -> bool:
    """Whether a name is that of a base model of a generated world, which ships with outgrow."""
    return model.partition("/")[0] in WORLDS and "/" in model


def resolve(model: str) -> Path | str:
    """The folder of a model, or its hub name where no folder is meant.

    Raises:
        ConfigError: a shipped model or a folder that does not exist; the message lists the names there are.
        PrerequisiteError: the extra that carries the model is not installed, or its files are not the pinned ones.
    """
    if model in minilm.NAMES:
        return minilm.folder()
    if of_world(model):
        world, _, name = model.partition("/")
        path = _world(world) / name
        if not (path / "config.json").is_file():
            raise ConfigError(unknown_model(model))
        return path
    path = Path(model).expanduser()
    if path.is_dir():
        if not any((path / name).is_file() for name in ("config.json", ADAPTER)):
            raise ConfigError(f"the folder {model!r} is no model: it has no config.json, and no {ADAPTER} either")
        return path
    if _FOLDER.match(model) or path.is_absolute():
        raise ConfigError(f"there is no folder {model!r}; {_known()}")
    return model


def base_of(ref: ModelRef) -> ModelRef | None:
    """The model that an adapter's folder, as `peft` writes it, is to be put on; None where `ref` is a whole model.

    Raises:
        ConfigError: the folder names no model, or one that is not there.
    """
    folder = resolve(ref.model)
    if not isinstance(folder, Path) or not (folder / ADAPTER).is_file() or any(folder.glob("model*.safetensors")):
        return None
    facts = read_json(folder / ADAPTER)
    name = facts.get("base_model_name_or_path") or ""
    if name and (folder / name).is_dir():
        name = str(folder / name)
    base = ref.model_copy(update={"model": str(name), "revision": facts.get("revision")})
    try:
        if not name or name == ref.model or base_of(base) is not None:
            raise ConfigError("that is no whole model")
    except (ConfigError, PrerequisiteError) as error:
        raise ConfigError(
            f"{folder / ADAPTER}: base_model_name_or_path is {name!r}, the model that this adapter was trained on: "
            f"{error}; put the folder or the hub name of that model there"
        ) from None
    return base


def tokenizer_of(ref: ModelRef) -> ModelRef:
    """The model whose tokenizer is used: an adapter's folder may have none of its own."""
    base = base_of(ref)
    return ref if base is None or (Path(str(resolve(ref.model))) / "tokenizer_config.json").is_file() else base


def read_json(file: Path) -> dict[str, Any]:
    """A mapping from a model's folder.

    Raises:
        DataError: the file cannot be read, or holds something else.
    """
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{file} cannot be read: {error}; fetch or save the model anew") from None
    if not isinstance(found, dict):
        raise DataError(f"{file} holds a {type(found).__name__}, not a mapping; fetch or save the model anew")
    return found


def unknown_model(model: str) -> str:
    """The message for a model that was not found, with the nearest name and all shipped ones."""
    near = closest(model, available())
    return f"there is no model {model!r}{f'; did you mean {near!r}?' if near else ';'} {_known()}"


def model_hash(ref: ModelRef) -> str:
    """What identifies the weights, configuration and tokenizer: a SHA-256 over the files, or the hub's commit.

    Raises:
        PrerequisiteError: a hub model whose commit can be found neither in the local cache nor on the hub.
    """
    place = resolve(ref.model)
    if not isinstance(place, Path):
        return f"{place}@{_commit(place, ref.revision)}"
    total = hashlib.sha256()
    if (base := base_of(ref)) is not None:
        total.update(f"{model_hash(base)}\n".encode())
    for file in sorted(p for p in place.iterdir() if p.is_file() and p.suffix in _HASHED):
        total.update(f"{file.name}\0{file_hash(file)}\n".encode())
    return total.hexdigest()


def _commit(name: str, revision: str | None) -> str:
    if revision is not None and re.fullmatch(r"[0-9a-f]{40}", revision):
        return revision
    from huggingface_hub import HfApi, errors, try_to_load_from_cache

    no_hub = (errors.HTTPError, errors.HFValidationError, errors.OfflineModeIsEnabled, OSError)  # type: ignore[attr-defined]
    try:
        cached = try_to_load_from_cache(name, "config.json", revision=revision)
        if isinstance(cached, str):
            return Path(cached).parent.name
        return str(HfApi().model_info(name, revision=revision).sha)
    except no_hub as error:
        raise PrerequisiteError(
            f"{unknown_model(name)}. As a hub model it cannot be reached: {str(error).strip() or type(error).__name__}"
        ) from error


def _world(world: str) -> Path:
    return Path(str(resources.files("outgrow"))) / "tasks" / world / "models"


def _known() -> str:
    return f"known: {', '.join(available())}, any folder in Hugging Face format, any hub name"

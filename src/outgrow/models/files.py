"""Where a model's files are, and the hash that stands for them in the store's keys. Needs no torch."""

from __future__ import annotations

import hashlib
import re
from importlib import resources
from pathlib import Path

from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.core.files import file_hash
from outgrow.core.names import closest
from outgrow.models import minilm
from outgrow.models.config import ModelRef

_HASHED = {".json", ".safetensors", ".bin", ".model", ".txt", ".py", ".jinja", ".tiktoken"}
_FOLDER = re.compile(r"^[./~\\]|^[A-Za-z]:[\\/]")


def available() -> tuple[str, ...]:
    """Names of the models that ship with outgrow or with an installed extra."""
    root = _microworld()
    folders = sorted(p.name for p in root.iterdir() if (p / "config.json").is_file()) if root.is_dir() else []
    return (*(f"microworld/{name}" for name in folders), minilm.NAME)


def resolve(model: str) -> Path | str:
    """The folder of a model, or its hub name where no folder is meant.

    Raises:
        ConfigError: a shipped model or a folder that does not exist; the message lists the names there are.
        PrerequisiteError: the extra that carries the model is not installed, or its files are not the pinned ones.
    """
    if model in minilm.NAMES:
        return minilm.folder()
    if model.startswith("microworld/"):
        path = _microworld() / model.removeprefix("microworld/")
        if not (path / "config.json").is_file():
            raise ConfigError(unknown_model(model))
        return path
    path = Path(model).expanduser()
    if path.is_dir():
        if not (path / "config.json").is_file():
            raise ConfigError(f"the folder {model!r} is no model: it has no config.json")
        return path
    if _FOLDER.match(model) or path.is_absolute():
        raise ConfigError(f"there is no folder {model!r}; {_known()}")
    return model


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


def _microworld() -> Path:
    return Path(str(resources.files("outgrow"))) / "tasks" / "microworld" / "models"


def _known() -> str:
    return f"known: {', '.join(available())}, any folder in Hugging Face format, any hub name"

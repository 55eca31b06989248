"""Names that YAML and the command line need: suggestions for a wrong one, and objects loaded by `module:attr`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Mapping
from importlib import import_module
from typing import Any

from outgrow.core.errors import PrerequisiteError

ALSO_CALLED = {
    "api_base": "base_url", "arms": "methods", "base_model": "model", "batch": "batch_size", "bs": "batch_size",
    "endpoint": "base_url", "extra_body": "extra", "fraction": "keep", "gradient_checkpointing":
    "activation_checkpointing", "k": "variants", "lora_alpha": "alpha", "lora_dropout": "dropout", "lora_r": "r",
    "lr": "learning_rate", "lr_scheduler_type": "schedule", "max_seq_length": "max_length", "model_name": "model",
    "model_name_or_path": "model", "n_jobs": "jobs", "num_epochs": "epochs", "num_train_epochs": "epochs",
    "num_workers": "jobs", "optim": "optimiser", "optimizer": "optimiser", "per_device_train_batch_size": "batch_size",
    "rank": "r", "rpm": "requests_per_minute", "scheduler": "schedule", "seed": "seeds", "strong_model": "student",
    "target": "label", "teacher": "supervisors", "teachers": "supervisors", "temp": "temperature", "torch_dtype":
    "dtype", "tpm": "tokens_per_minute", "url": "base_url", "warmup_ratio": "warmup", "wd": "weight_decay",
    "weak_model": "supervisors", "workers": "jobs",
}  # fmt: skip
"""What other tools call a setting, and what it is called here."""


def closest(name: str, known: Collection[str]) -> str | None:
    """The known name for what others call `name`, or most like it (case aside); None when nothing is near."""
    if (ours := ALSO_CALLED.get(name.casefold())) in known:
        return ours
    by_folded = {other.casefold(): other for other in known}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[near[0]] if near else None


def did_you_mean(name: str, known: Collection[str]) -> str:
    """The nearest known name as the end of a message, or an empty string when nothing is near."""
    near = closest(name, known)
    return f"; did you mean '{near}'?" if near else ""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that is not known: the name, the nearest one, and the whole list."""
    names = list(known)
    return f"unknown {what} '{name}'{did_you_mean(name, names) or '.'} Known: {', '.join(names)}"


def import_attr(path: str) -> Any:
    """The object at `package.module:attribute`, imported only now."""
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)


def resolve(value: Any) -> Any:
    """`value` itself, or what it names where it is a `module:attribute`."""
    return import_attr(value) if isinstance(value, str) else value


def lazily(package: str, modules: Mapping[str, Iterable[str]]) -> Callable[[str], Any]:
    """The `__getattr__` of a package some of whose names need torch: they are imported when they are first used.

    Args:
        package: its `__name__`.
        modules: its modules, each with the names that come from it.

    Returns:
        A function that raises AttributeError where the package has no such name, and PrerequisiteError where the extra
        `train` is not installed.
    """
    homes = {name: f"{package}.{module}" for module, names in modules.items() for name in names}

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            return getattr(import_module(homes[name]), name)
        except ModuleNotFoundError as error:
            raise PrerequisiteError(
                f'models need the extra "train" ({error}); install it: pip install "outgrow[train]"'
            ) from error

    return find

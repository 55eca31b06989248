"""What may stand in results.json: no host and no folder, and numbers that JSON has."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np

PLACES = ("model", "path", "files")
"""Keys of a recipe that may hold whole paths."""


def without_places(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe's plain values without what names a host or a folder, or changes no number."""
    shown = {name: value for name, value in _without_places(recipe).items() if not name.startswith("tracking")}
    return {**shown, "jobs": None, "data_dir": None}


def _without_places(value: Any) -> Any:
    """Without URLs of servers; of a file's or folder's whole path the last part alone."""
    if isinstance(value, dict):
        kept = {key: own for key, own in value.items() if key != "base_url"}
        return {key: _last_part(own) if key in PLACES else _without_places(own) for key, own in kept.items()}
    return [_without_places(own) for own in value] if isinstance(value, list) else value


def _last_part(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _last_part(own) for key, own in value.items()}
    return Path(value).name if isinstance(value, str) and Path(value).is_absolute() else value


def clean(value: Any) -> Any:
    """Plain JSON values; NaN and infinities become null."""
    if isinstance(value, dict):
        return {str(k): clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [clean(v) for v in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value

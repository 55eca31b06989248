"""What may stand in results.json: no host and no folder, and numbers that JSON has."""

from __future__ import annotations

import math
from typing import Any

import numpy as np


def without_places(recipe: dict[str, Any]) -> dict[str, Any]:
    """A recipe's plain values without what names a host or a folder, or changes no number."""
    supervisors = [{k: v for k, v in s.items() if k != "base_url"} for s in recipe["supervisors"]]
    ask = dict(recipe["ask"])
    if isinstance(ask["paraphraser"], dict):
        ask["paraphraser"] = {k: v for k, v in ask["paraphraser"].items() if k != "base_url"}
    return {**recipe, "supervisors": supervisors, "ask": ask, "jobs": None, "data_dir": None}


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

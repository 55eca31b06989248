"""How far a model looks back, as far as its configuration tells."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_WINDOW = re.compile(r"window|sliding|chunk|local|top_?k|block|segment|span|stride|compress|look_?back")
_ANOTHER = re.compile(
    r"expert|group|layer|head|norm|rope|theta|freq|pattern|moe|rout|conv|num_|hidden|kernel|rank|inference"
)
_SELECTED = re.compile(r"top_?k")
_SLIDING = re.compile(r"window|sliding|chunk")


def windows(config: Any) -> list[int]:
    """Every number of a text model's configuration that may be a number of positions it looks back over, ascending.

    Names differ (`sliding_window`, `window_size`, `attention_chunk_size`, `index_topk`, `local_attention`, ...), so any
    name goes that sounds like one, nested or in a list. A number too many costs a pass when a model is loaded.
    """
    found = set(_numbers(config.to_dict(), ""))
    kinds = set(getattr(config, "layer_types", None) or ())
    return sorted({number for name, number in found if kinds != {"full_attention"} or not _SLIDING.search(name)})


def selections(config: Any) -> set[int]:
    """Those among them that count positions which a model selects by score: ties fall as the layout has it."""
    return {number for name, number in _numbers(config.to_dict(), "") if _SELECTED.search(name)}


def _numbers(value: Any, name: str) -> Iterator[tuple[str, int]]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _numbers(inner, f"{name}.{key}")
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _numbers(inner, name)
    elif type(value) is int and value > 1 and _WINDOW.search(name) and not _ANOTHER.search(name):
        yield name, value

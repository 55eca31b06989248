"""LLaMA-Factory's `dataset_info.json`: our entry beside those that are already there.

Format: hiyouga/LLaMA-Factory, data/README.md and src/llamafactory/data/parser.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from outgrow.core.errors import ConfigError, DataError

NAME = "dataset_info.json"
COLUMNS = {
    "alpaca": {"prompt": "instruction", "query": "input", "response": "output"},
    "sharegpt": {"messages": "conversations"},
}


def with_entry(info: dict[str, Any], path: Path, formatting: str) -> dict[str, Any]:
    """`info` with an entry for the data file `path`, named like it; an older entry for the same file keeps its rest.

    Raises:
        ConfigError: the name is taken by another data set, or has a comma, which LLaMA-Factory takes for two names.
    """
    name, old = path.stem, info.get(path.stem, {})
    if "," in name:
        raise ConfigError(f"{path}: LLaMA-Factory reads a comma in '{name}' as two names; choose another file name")
    if not isinstance(old, dict) or old.get("file_name", path.name) != path.name or old.keys() & HUBS:
        raise ConfigError(
            f"{path.with_name(NAME)} already describes another data set '{name}'; choose another file name for --out"
        )
    entry = {**old, "file_name": path.name, "formatting": formatting, "columns": COLUMNS[formatting]}
    entry.pop("tags", None)  # ours are the defaults
    return {**info, name: entry}


HUBS = {"hf_hub_url", "ms_hub_url", "om_hub_url", "script_url", "cloud_file_name"}


def read_info(folder: Path) -> dict[str, Any]:
    """The `dataset_info.json` of a folder; empty where there is none.

    Raises:
        DataError: it is not a JSON object of data sets, or names one twice, so that writing it would lose entries.
    """
    path = folder / NAME
    if not path.exists():
        return {}
    try:
        found = json.loads(path.read_text(encoding="utf-8-sig"), object_pairs_hook=_once)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error})") from None
    except (ValueError, RecursionError) as error:
        raise DataError(f"{path}: not JSON that can be added to ({error}); repair it, or write elsewhere") from None
    if not isinstance(found, dict):
        raise DataError(f"{path}: expected one JSON object of data sets, found a {type(found).__name__}")
    return found


def as_bytes(info: dict[str, Any]) -> bytes:
    """The file's content."""
    return (json.dumps(info, ensure_ascii=False, indent=2) + "\n").encode("utf-8")


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    names = [name for name, _ in pairs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ValueError(f"{', '.join(twice)} stands there twice")
    return dict(pairs)

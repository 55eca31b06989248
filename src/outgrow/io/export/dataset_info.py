"""LLaMA-Factory's `dataset_info.json`: our entry beside those that are already there.

Format: hiyouga/LLaMA-Factory, data/README.md and src/llamafactory/data/parser.py.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from outgrow.core.errors import ConfigError, DataError

NAME = "dataset_info.json"
PROMPT = {"prompt": "instruction", "query": "input"}
SIDES = {"chosen": "chosen", "rejected": "rejected"}
ENTRIES: dict[str, dict[str, Any]] = {
    "llamafactory-alpaca": {"formatting": "alpaca", "columns": {**PROMPT, "response": "output"}},
    "llamafactory-sharegpt": {"formatting": "sharegpt", "columns": {"messages": "conversations"}},
    "llamafactory-preference": {"formatting": "alpaca", "ranking": True, "columns": {**PROMPT, **SIDES}},
    "llamafactory-sharegpt-preference": {
        "formatting": "sharegpt", "ranking": True, "columns": {"messages": "conversations", **SIDES}
    },
}  # fmt: skip
"""What a file of each format is, by the format's name."""


def with_entry(info: dict[str, Any], path: Path, name: str) -> dict[str, Any]:
    """`info` with an entry for the data file `path` in format `name`; an older one for the same file keeps its rest.

    Raises:
        ConfigError: the name is taken by another data set, or has a comma, which LLaMA-Factory takes for two names.
    """
    own, old = path.stem, info.get(path.stem, {})
    if "," in own:
        raise ConfigError(f"{path}: LLaMA-Factory reads a comma in '{own}' as two names; choose another file name")
    if not isinstance(old, dict) or old.get("file_name", path.name) != path.name or old.keys() & HUBS:
        raise ConfigError(
            f"{path.with_name(NAME)} already describes another data set '{own}'; choose another file name for --out"
        )
    kept = {key: value for key, value in old.items() if key not in ("ranking", "tags")}  # our tags are the defaults
    return {**info, own: {**kept, "file_name": path.name, **ENTRIES[name]}}


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

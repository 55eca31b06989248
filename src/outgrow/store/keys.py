"""What identifies a step: canonical JSON, and the key made of it."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from outgrow.core.errors import ConfigError


def plain(value: Any, *, finite: bool = True, where: str = "value") -> Any:
    """`value` as dictionaries, lists and scalars that JSON gives back unchanged (tuples become lists).

    Args:
        value: what to check; mappings need string keys.
        finite: whether NaN and infinities are refused.
        where: what the error message calls `value`.

    Raises:
        ConfigError: something in `value` has no single JSON form; the message says where it is.
    """
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        if finite and not math.isfinite(value):
            raise ConfigError(f"{where} is {value!r}, which JSON cannot hold; use null for 'no data'")
        return value
    if isinstance(value, Mapping):
        for name in value:
            if not isinstance(name, str):
                raise ConfigError(f"{where} has the key {name!r} of type {type(name).__name__}; keys must be text")
        return {name: plain(item, finite=finite, where=f"{where}.{name}") for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item, finite=finite, where=f"{where}[{i}]") for i, item in enumerate(value)]
    raise ConfigError(
        f"{where} is {value!r} of type {type(value).__name__}, which has no one JSON form; "
        "convert it to text, a number, a list or a dictionary first"
    )


def canonical_json(value: Any, *, finite: bool = True, where: str = "value") -> str:
    """The one JSON text of `value`: sorted keys, no white space, ASCII, floats as `repr` (so 1.0 is not 1).

    Raises:
        ConfigError: as `plain`.
    """
    return json.dumps(plain(value, finite=finite, where=where), sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, eq=False)
class Step:
    """A computation whose result is kept: equal steps have equal keys, and the same key is the same result.

    Attributes:
        name: what is done, for instance "train".
        version: raised whenever the step's source changes its result.
        config: settings that decide the result; JSON-able, no NaN. Kept as an own copy.
        inputs: name to the key or content hash of each thing that goes in.

    Raises:
        ConfigError: `name` is empty, `config` has no canonical JSON, or an input has no hash.
    """

    name: str
    version: int
    config: Mapping[str, Any]
    inputs: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not self.name:
            raise ConfigError("a step needs a name")
        for name, value in self.inputs.items():
            if not (isinstance(value, str) and value):
                raise ConfigError(f"input '{name}' of step '{self.name}' is {value!r}; give its key or content hash")
        config = json.loads(canonical_json(self.config, where=f"step '{self.name}': config"))
        object.__setattr__(self, "config", config)
        object.__setattr__(self, "inputs", dict(self.inputs))

    @property
    def description(self) -> dict[str, Any]:
        """What the key is made of."""
        return {"step": self.name, "version": self.version, "config": self.config, "inputs": self.inputs}

    @cached_property
    def key(self) -> str:
        """64 hex digits: SHA-256 of the canonical JSON of name, version, config and inputs."""
        return hashlib.sha256(canonical_json(self.description).encode("ascii")).hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Step) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

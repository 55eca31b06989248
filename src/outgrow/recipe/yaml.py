"""A recipe's YAML as plain values, and `key.sub=value` overrides applied to them."""

from __future__ import annotations

import copy
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from outgrow.core.config_errors import place, shown
from outgrow.core.errors import ConfigError
from outgrow.io.text import clip

LONGEST, DEEPEST, LARGEST = 250_000, 50, 100_000
"""Characters of a text, levels of nesting, and values once every alias is written out: far more than a recipe needs."""


class _Loader(yaml.SafeLoader):
    """Safe YAML in which a key may stand once, 1e-3 is a number and a date is text; no text takes long or much."""

    _depth = 0

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        """A node that knows its size, what its aliases stand for included."""
        event = self.peek_event()  # type: ignore[no-untyped-call]
        self._depth += 1
        if self._depth > DEEPEST:
            raise _fault(f"nested more than {DEEPEST} levels deep", event)
        node: Any = super().compose_node(parent, index)
        self._depth -= 1
        if isinstance(event, yaml.AliasEvent):
            if not hasattr(node, "size"):
                raise _fault("an alias stands inside of what it names", event)
        else:
            parts = [] if node.id == "scalar" else node.value
            node.size = 1 + sum(part.size for item in parts for part in (item if node.id == "mapping" else (item,)))
        if node.size > LARGEST:
            raise _fault(f"its aliases make more than {LARGEST:,} values", event)
        found: yaml.Node = node
        return found

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """A value, or an error with its place where Python cannot hold the text as what YAML takes it for."""
        try:
            value = super().construct_object(node, deep)
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                raise ValueError
            return value
        except (ArithmeticError, AttributeError, LookupError, ValueError):
            kind = "a whole number of 64 bits" if node.tag.endswith(":int") else f"a value of the type {node.tag}"
            raise _fault(f"'{clip(str(node.value))}' is not {kind}; put text in quotes", node) from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: dict[Any, yaml.Mark] = {}
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key = self.construct_object(key_node, deep=True)
            if isinstance(key, str | int | float | bool) and key in seen:
                raise _fault(f"key '{key}' stands twice, first in line {seen[key].line + 1}", key_node)
            if isinstance(key, str | int | float | bool):
                seen[key] = key_node.start_mark
        return super().construct_mapping(node, deep)


def _fault(problem: str, where: Any) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=where.start_mark)


_Loader.yaml_implicit_resolvers = {
    first: [(tag, regexp) for tag, regexp in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def parse_yaml(text: str, name: str) -> Any:
    """Plain values of a YAML text.

    Raises:
        ConfigError: with the line and column of the fault.
    """
    if len(text) > LONGEST:
        raise ConfigError(f"{name}: longer than {LONGEST:,} characters; data belongs into files that it names")
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f", line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise ConfigError(f"{name}{place}: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{name}: {error}") from None


def read_yaml(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file.

    Raises:
        ConfigError: the file is missing, not UTF-8, not YAML, or holds something else than keys and values.
    """
    try:
        with path.open(encoding="utf-8") as file:
            text = file.read(LONGEST + 1)
    except FileNotFoundError:
        raise ConfigError(
            f"recipe '{path}' does not exist; give the path of a YAML file, or none for the demo"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"recipe '{path}' cannot be read: {error}") from None
    raw = parse_yaml(text, str(path))
    if not isinstance(raw, dict):
        raise ConfigError(f"{path}: a recipe is a mapping of keys to values; this file holds {type(raw).__name__}")
    return raw


def apply_overrides(raw: dict[str, Any], overrides: Sequence[str]) -> dict[str, Any]:
    """A copy of `raw` with `key.sub=value` applied in order; values are YAML, list items are numbered from 0.

    A method given by its name alone is opened up by an override of one of its settings: `methods.2.keep=0.25`.

    Raises:
        ConfigError: all overrides that are malformed or lead nowhere.
    """
    result = copy.deepcopy(raw)
    faults = []
    for override in [overrides] if isinstance(overrides, str) else overrides:
        key, equals, text = override.partition("=")
        if not equals or not key.strip():
            faults.append(f"  {clip(override)!r}: expected key=value, for instance train.epochs=3 or 'seeds=[0,1,2]'")
            continue
        name = f"override '{clip(override)}'"
        try:
            _set(result, key.strip().split("."), parse_yaml(text, name))
        except ConfigError as error:
            faults.append(f"  {error}" if str(error).startswith("override") else f"  {name}: {error}")
    if faults:
        raise ConfigError("\n".join([f"{len(faults)} of the overrides cannot be applied:", *faults]))
    return result


def _set(whole: Any, path: list[str], value: Any) -> None:
    target = whole
    for number, part in enumerate(path):
        last = number == len(path) - 1
        there = place([int(each) if each.isdigit() else each for each in path[:number]], whole)
        key: Any = part
        if isinstance(target, list):
            if not part.isdigit() or int(part) >= len(target):
                counted = f"a list of {len(target)}, counted from 0 in overrides"
                raise ConfigError(f"{there} is {counted}; it has no '{part}'")
            key = int(part)
        elif not isinstance(target, dict):
            raise ConfigError(f"{there} is {shown(target)}, which has no key '{part}'")
        if last:
            target[key] = value
            return
        inner = target.get(key) if isinstance(target, dict) else target[key]
        if inner is None:
            inner = target[key] = {}
        elif isinstance(inner, str) and path[:number] == ["methods"]:
            inner = target[key] = {"name": inner}
        target = inner

"""The verbs `tasks` and `methods`: what there is, and the settings of each."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from outgrow.core.errors import ConfigError
from outgrow.core.names import import_attr, unknown
from outgrow.tasks import TASKS


def tasks(kind: str | None) -> None:
    """Print the kinds of task, or the options of one."""
    if kind is None:
        table = Table("kind", "what it is", box=None, pad_edge=False)
        for spec in TASKS.values():
            table.add_row(spec.kind, escape(spec.doc))
        Console().print(table)
        return
    if kind not in TASKS:
        raise ConfigError(unknown("task", kind, TASKS))
    _settings(TASKS[kind].config_model(), leave_out=("kind",))


def methods(name: str | None) -> None:
    """Print the methods, or the settings of one."""
    known: Mapping[str, Any] = import_attr("outgrow.methods:METHODS")
    if name is None:
        table = Table("method", "role", "what it does", box=None, pad_edge=False)
        for method in known.values():
            role = " ".join([*(["control"] if method.control else []), *(["uses gold"] if method.uses_gold else [])])
            table.add_row(method.name, role, escape(method.doc))
        Console().print(table)
        return
    if name not in known:
        raise ConfigError(unknown("method", name, known))
    Console().print(escape(known[name].doc))
    _settings(known[name].config)


def _settings(model: type[BaseModel], leave_out: tuple[str, ...] = ()) -> None:
    """Print a configuration model: each key with its type, its default and its line in the docstring."""
    docs = attribute_docs(model)
    table = Table("key", "type", "default", "meaning", box=None, pad_edge=False)
    for key, field in model.model_fields.items():
        if key not in leave_out:
            default = "needed" if field.is_required() else repr(field.get_default(call_default_factory=True))
            table.add_row(key, escape(type_words(field.annotation)), escape(default), escape(docs.get(key, "")))
    if table.row_count:
        Console().print(table)
    else:
        Console().print("no settings")


def type_words(annotation: Any) -> str:
    """A type as a person writes it in YAML: the choices of a literal, "list of", "map of", bounds left out."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return type_words(parts[0])
    if origin is Literal:
        return " | ".join(map(str, parts))
    if origin in (Union, UnionType):
        return " | ".join(type_words(part) for part in parts)
    if origin in (tuple, list):
        return f"list of {type_words(parts[0])}"
    if origin is dict:
        return f"map of {type_words(parts[1])}"
    return "null" if annotation is type(None) else annotation.__name__


def attribute_docs(model: type[BaseModel]) -> dict[str, str]:
    """The entries of the "Attributes:" section in a model's docstring and its bases', each as one line."""
    docs: dict[str, str] = {}
    for base in reversed(model.__mro__):
        if issubclass(base, BaseModel) and base.__doc__:
            docs |= _attributes(inspect.cleandoc(base.__doc__))
    return docs


def _attributes(text: str) -> dict[str, str]:
    _, _, section = text.partition("Attributes:\n")
    docs: dict[str, str] = {}
    key = ""
    for line in section.splitlines():
        if entry := re.match(r"    (\w+): (.*)", line):
            key = entry.group(1)
            docs[key] = entry.group(2)
        elif line.startswith("        ") and key:
            docs[key] += " " + line.strip()
        elif line.strip():
            break
    return docs

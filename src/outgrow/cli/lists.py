"""The verbs `tasks`, `methods`, `objectives`, `supervisors` and `metrics`: what there is, from where, with settings."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outgrow.cli.options import Plugin
from outgrow.core.terminal import line, plain_table, show

if TYPE_CHECKING:
    from pydantic import BaseModel

    from outgrow.core.registry import Registry

Name = Annotated[str | None, typer.Argument(help="Show the settings of this one.")]


def tasks(kind: Name = None, plugin: Plugin = None) -> None:
    """List the kinds of task, or the options of one."""
    from outgrow.tasks import TASKS

    list_registry(TASKS, kind, lambda task: task.config_model())


def methods(name: Name = None, plugin: Plugin = None) -> None:
    """List the methods, or the settings of one."""
    from outgrow.methods import METHODS

    def role(method: Any) -> str:
        return ", ".join([*(["control"] if method.control else []), *(["uses gold"] if method.uses_gold else [])])

    list_registry(METHODS, name, lambda method: method.config, role)


def objectives(name: Name = None, plugin: Plugin = None) -> None:
    """List the objectives that a method can be given, or the settings of one."""
    from outgrow.objectives import OBJECTIVES

    list_registry(OBJECTIVES, name, lambda objective: objective.settings())


def supervisors(kind: Name = None, plugin: Plugin = None) -> None:
    """List the kinds of supervisor, or the settings of one."""
    from outgrow.supervisors import SUPERVISORS

    list_registry(SUPERVISORS, kind, lambda supervisor: supervisor.config_model())


def metrics(name: Name = None, plugin: Plugin = None) -> None:
    """List the metrics that a recipe may add to accuracy."""
    from outgrow.evaluation import METRICS

    list_registry(METRICS, name)


def list_registry(
    registry: Registry[Any],
    name: str | None,
    settings: Callable[[Any], type[BaseModel]] | None = None,
    role: Callable[[Any], str] | None = None,
) -> None:
    """Print every entry of a registry with its origin, or the settings of one."""
    if name is not None:
        spec = registry.require(name)
        line(doc_line(spec))
        if settings is not None:
            _settings(settings(spec))
        return
    good, bad = registry.loaded()
    table = plain_table(registry.what, *(["role"] if role else []), "from", "what it is")
    for each, spec in good.items():
        table.add_row(each, *([role(spec)] if role else []), str(registry.entry(each).origin), doc_line(spec))
    show(table)
    for reason in bad.values():
        line(f"error: {reason}", style="red")


def _settings(model: type[BaseModel]) -> None:
    """Print a configuration model: each key with its type, its default and its line in the docstring."""
    from outgrow.core.config import attribute_docs

    docs = attribute_docs(model)
    table = plain_table("key", "type", "default", "meaning")
    for key, field in model.model_fields.items():
        if key != "kind":
            default = "needed" if field.is_required() else repr(field.get_default(call_default_factory=True))
            table.add_row(key, type_words(field.annotation), default, docs.get(key, ""))
    if table.row_count:
        show(table)
    else:
        line("no settings")


def doc_line(spec: Any) -> str:
    """What a specification says of itself, or the first line of its class's docstring."""
    text: str = getattr(spec, "doc", "") or type(spec).__doc__ or ""
    return text.strip().splitlines()[0] if text.strip() else ""


def type_words(annotation: Any) -> str:
    """A type as a person writes it in YAML: the choices of a literal, "list of", "map of", bounds left out."""
    from types import UnionType
    from typing import Literal, Union, get_args, get_origin

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

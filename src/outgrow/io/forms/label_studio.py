"""Tasks exported by Label Studio as JSON: an item per task, with the annotations that people made."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from outgrow.core.errors import ConfigError, DataError
from outgrow.io.text import json_objects

KINDS = ("choices", "rating", "number", "pairwise")
"""Kinds of results that are one label for the whole task."""


def matches(path: Path, first: Mapping[str, Any]) -> bool:
    """Whether the first item is a task."""
    return {"data", "annotations"} <= first.keys() and isinstance(first["annotations"], list)


def answers(path: Path, chosen: str | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Of every task what each annotator labelled it as, by the control `chosen` or the only one.

    Annotations that were cancelled, and predictions of models, are left out.
    """
    tasks = list(json_objects(path))
    names = list(dict.fromkeys(r["from_name"] for _, task in tasks for a in _made(task) for r in _results(a)))
    if not names:
        raise DataError(f"{path}: no annotation labels a whole task ({', '.join(KINDS)})")
    if chosen is None and len(names) > 1:
        raise ConfigError(
            f"{path}: the tasks are labelled by {', '.join(map(repr, names))}; choose: --columns value={names[0]}"
        )
    if chosen is not None and chosen not in names:
        raise ConfigError(
            f"{path}: nothing labels by {chosen!r}; the tasks are labelled by {', '.join(map(repr, names))}"
        )
    for number, task in tasks:
        for annotation in _made(task):
            values = [_value(r) for r in _results(annotation) if r["from_name"] == (chosen or names[0])]
            yield (
                number,
                {
                    "example_id": str(task["id"]),
                    "source": _who(annotation),
                    "prompt": _prompt(task["data"]),
                    "value": values[0] if len(values) == 1 else None,
                },
            )


def _made(task: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in task.get("annotations") or () if not each.get("was_cancelled")]


def _results(annotation: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    return [each for each in annotation.get("result") or () if each.get("type") in KINDS]


def _value(result: Mapping[str, Any]) -> str | None:
    """The one label; several choices at once are none."""
    value = result["value"]
    if result["type"] == "pairwise":
        return str(value.get("selected"))
    given = value.get(result["type"])
    if isinstance(given, list):
        return str(given[0]) if len(given) == 1 else None
    return None if given is None else str(given)


def _who(annotation: Mapping[str, Any]) -> str:
    who = annotation.get("completed_by")
    if isinstance(who, Mapping):
        who = who.get("email") or who.get("id")
    return "annotator" if who is None else str(who)


def _prompt(data: Mapping[str, Any]) -> str | None:
    texts = {key: value for key, value in data.items() if isinstance(value, str)}
    return texts.get("text") or next(iter(texts.values()), None)

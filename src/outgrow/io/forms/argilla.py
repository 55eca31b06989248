"""Records exported by Argilla 2 (`to_json`, or `to_list` with and without `flatten`): an item per record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from outgrow.core.errors import ConfigError
from outgrow.io.text import json_objects

RESPONSES = ".responses"
COUNTED = (None, "submitted")
"""States of a response that counts; drafts and discarded ones do not."""


def matches(path: Path, first: Mapping[str, Any]) -> bool:
    """Whether the first item is a record."""
    nested = {"fields", "responses", "suggestions"} <= first.keys()
    return nested or any(key.endswith(f"{RESPONSES}.users") for key in first)


def answers(path: Path, chosen: str | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Of every record what each user responded to one question, `chosen` or the only one; suggestions are left out."""
    records = list(json_objects(path))
    names = list(dict.fromkeys(name for _, record in records for name in _questions(record)))
    if chosen is None and len(names) > 1:
        raise ConfigError(
            f"{path}: the records answer {', '.join(map(repr, names))}; choose one: --columns value={names[0]}"
        )
    if chosen is not None and chosen not in names:
        raise ConfigError(f"{path}: no question {chosen!r}; the records answer {', '.join(map(repr, names))}")
    for number, record in records:
        for user, value in _responses(record, chosen or names[0] if names else ""):
            yield (
                number,
                {
                    "example_id": str(record.get("id") or record.get("_server_id") or number),
                    "source": user,
                    "prompt": _prompt(record),
                    "value": value if isinstance(value, str | int | float) or value is None else str(value),
                },
            )


def _questions(record: Mapping[str, Any]) -> list[str]:
    if "responses" in record:
        return list(record["responses"] or {})
    return [key.removesuffix(RESPONSES) for key in record if key.endswith(RESPONSES)]


def _responses(record: Mapping[str, Any], name: str) -> Iterator[tuple[str, Any]]:
    """Users and their values."""
    if "responses" in record:
        for each in (record["responses"] or {}).get(name) or ():
            if each.get("status") in COUNTED:
                yield str(each["user_id"]), each["value"]
        return
    values = record.get(name + RESPONSES) or ()
    users = record.get(f"{name}{RESPONSES}.users") or ()
    states = record.get(f"{name}{RESPONSES}.status") or [None] * len(values)
    for value, user, state in zip(values, users, states, strict=True):
        if state in COUNTED:
            yield str(user), value


def _prompt(record: Mapping[str, Any]) -> str | None:
    """The record's text: its only field, or the field that is called so."""
    fields = record.get("fields")
    if fields is None:
        fields = {key: value for key, value in record.items() if key in ("text", "prompt", "question", "instruction")}
    texts = {key: value for key, value in fields.items() if isinstance(value, str)}
    return texts.get("text") or next(iter(texts.values()), None)

"""Configuration errors as a person wants them: all at once, each with its key, the value seen and a suggestion."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Collection, Iterable, Sequence
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from outgrow.core.names import closest, did_you_mean

Model = TypeVar("Model", bound=BaseModel)
Loc = tuple[int | str, ...]
SHAPES = {
    **dict.fromkeys(("dict_type", "model_type", "model_attributes_type"), "must be a mapping of keys to values"),
    **dict.fromkeys(("list_type", "tuple_type"), "must be a list"),
}
"""What pydantic calls an object and an array."""


_NAME = re.compile(r"[\w.+/-]{1,200}")
"""What may be shown to tell an entry of a list; a URL may hold a key."""


def validate(model: type[Model], raw: Any) -> Model:
    """`raw`, plain values as YAML gives them, as a `model`.

    Raises:
        ValidationError: with one line error per fault, worded for people; inside a validator its keys are prefixed
            with the keys that lead there.
    """
    plain = json.loads(json.dumps(raw, default=str))
    try:
        return model.model_validate_json(json.dumps(plain))
    except ValidationError as error:
        raise _reworded(error, plain, model) from None


def fault(message: str, value: Any, *loc: int | str) -> ValidationError:
    """One fault found by hand, in the form that `validate` raises."""
    return _validation_error([(loc, message, value)])


def below(error: ValidationError, *loc: int | str) -> ValidationError:
    """The faults of an error that `validate` raised, their keys behind those of `loc`."""
    return _validation_error((loc + item["loc"], item["msg"], item["input"]) for item in error.errors())


def place(loc: Sequence[int | str], raw: Any = None) -> str:
    """Where something stands in `raw`, as a reader counts: "methods: the 2nd (naive): keep"."""
    said: list[str] = []
    before: int | str = 0
    for part in loc:
        raw = raw[part] if _holds(raw, part) else None
        if isinstance(part, int):
            given = [raw.get(key) for key in ("id", "name", "model", "kind")] if isinstance(raw, dict) else [raw]
            name = next((each for each in given if isinstance(each, str) and _NAME.fullmatch(each)), None)
            said.append(f"the {ordinal(part + 1)}" + (f" ({name[:40]})" if name else ""))
        elif isinstance(before, str):
            said[-1] += f".{part}"
        else:
            said.append(part)
        before = part
    return ": ".join(said) or "(top level)"


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 4th."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


def report(error: ValidationError, title: str, raw: Any, *, silent: Collection[str] = ()) -> str:
    """All faults of an error that `validate` raised, one line each, under a title that says how many there are.

    Args:
        error: the faults.
        title: what has them.
        raw: what was validated.
        silent: first keys that nobody has written, because they repeat others.
    """
    faults: dict[tuple[Any, ...], list[str]] = {}
    values: dict[tuple[Any, ...], Any] = {}
    for item in (each for each in error.errors() if not each["loc"] or each["loc"][0] not in silent):
        messages = faults.setdefault(item["loc"], [])
        if item["msg"] not in messages:
            messages.append(item["msg"])
        values[item["loc"]] = item["input"]
    lines = [
        f"  {place(loc, raw)}: {' or '.join(messages)} (seen: {shown(values[loc])})" for loc, messages in faults.items()
    ]
    number = "1 error" if len(lines) == 1 else f"{len(lines)} errors"
    return "\n".join([f"{title} has {number}:", *lines])


def shown(value: Any, width: int = 80) -> str:
    """A value in YAML's own words, cut to `width` characters."""
    try:
        text = json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        text = repr(value)
    return text if len(text) <= width else f"{text[: width - 1]}…"


def _validation_error(faults: Iterable[tuple[Loc, str, Any]]) -> ValidationError:
    details = [
        # the message is a template to pydantic, hence the context
        InitErrorDetails(type=PydanticCustomError("outgrow", "{message}", {"message": message}), loc=loc, input=value)
        for loc, message, value in faults
    ]
    return ValidationError.from_exception_data("configuration", details)


def _reworded(error: ValidationError, raw: Any, model: type[BaseModel]) -> ValidationError:
    faults = []
    below = {item["loc"][:n] for item in error.errors() for n in range(len(item["loc"]))}
    for item in error.errors():
        if item["type"] == "too_short" and item["loc"] in below:
            continue  # its items are at fault, not their number
        if item["type"] == "outgrow":
            faults.append((item["loc"], item["msg"], item["input"]))
            continue
        loc = _real_loc(item["loc"], raw, item["type"] == "missing")
        value = None if item["type"] == "missing" else item["input"]
        faults.append((loc, _message(dict(item), loc, model), value))
    return _validation_error(faults)


def _holds(raw: Any, part: int | str) -> bool:
    return part in raw if isinstance(raw, dict) else isinstance(raw, list) and part in range(len(raw))


def _real_loc(loc: Loc, raw: Any, missing: bool) -> Loc:
    """The keys that exist in `raw`; pydantic adds the names of union members between them."""
    real: list[int | str] = []
    for number, part in enumerate(loc):
        inside = _holds(raw, part)
        if inside:
            raw = raw[part]
        if inside or (missing and number == len(loc) - 1):
            real.append(part)
    return tuple(real)


def _message(item: dict[str, Any], loc: Loc, model: type[BaseModel]) -> str:
    kind, value = item["type"], item.get("input")
    if kind == "extra_forbidden":
        known = _known_keys(model, loc[:-1])
        return f"unknown key{did_you_mean(str(loc[-1]), known) or '; known: ' + ', '.join(known)}"
    if kind == "missing":
        return "is missing"
    if kind == "too_short":
        return f"needs {item['ctx']['min_length']} or more"
    if kind in SHAPES:
        return SHAPES[kind]
    message = re.sub("^(Input|String) should ", "must ", item["msg"].removeprefix("Value error, "))
    if kind == "literal_error" and isinstance(value, str):
        near = closest(value, item["ctx"]["expected"].replace(" or ", ", ").replace("'", "").split(", "))
        return f"{message}; did you mean '{near}'?" if near else message
    if kind == "string_type" and isinstance(value, bool | int | float):
        return f"{message}; put it in quotes"
    return message


def _known_keys(model: type[BaseModel], loc: Loc) -> list[str]:
    """The keys that are allowed at `loc`."""
    models: list[type[BaseModel]] = [model]
    for part in loc:
        fields = [m.model_fields[part].annotation for m in models if isinstance(part, str) and part in m.model_fields]
        if fields:
            models = [found for annotation in fields for found in _models_in(annotation)]
    return sorted({key for m in models for key in m.model_fields})


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [found for part in typing.get_args(annotation) for found in _models_in(part)]

"""The JSON Schema of a recipe, for editors and for checking files without this package."""

from __future__ import annotations

from typing import Any

from outgrow.recipe.recipe import Recipe

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def recipe_schema() -> dict[str, Any]:
    """The schema with every task, supervisor, method and objective that is known now, and what each setting means.

    What cannot be imported is left out (`outgrow.core.registry.Registry.loaded` says why).
    """
    schema = Recipe.model_json_schema()
    shared: dict[str, Any] = {}
    plain = _tidied(schema, shared)
    plain["$defs"] |= shared
    other = plain["$defs"]["Evaluation"]["properties"]["out_of_distribution"]
    other["anyOf"] = [{"$ref": "#/properties/task"}, {"type": "null"}]  # the kinds of task stand once
    plain["required"] = [key for key in plain["required"] if key not in ("student", "students")]
    plain["anyOf"] = [{"required": ["student"]}, {"required": ["students"]}]
    return {"$schema": DIALECT, **plain, "title": "A recipe of outgrow"}


def _tidied(value: Any, shared: dict[str, Any], key: str = "", names: bool = False) -> Any:
    """Without the titles that only repeat a key; the choice of an objective, which all methods share, stands once.

    Args:
        value: a part of the schema.
        shared: takes what stands once.
        key: of the property that the part describes, or empty.
        names: whether its keys are names of properties.
    """
    if isinstance(value, list):
        return [_tidied(each, shared) for each in value]
    if not isinstance(value, dict):
        return value
    kept = value if names or not key else {name: one for name, one in value.items() if name != "title"}
    inner = {
        name: _tidied(one, shared, name if names else "", not names and name == "properties")
        for name, one in kept.items()
    }
    if key == "objective" and "oneOf" in inner:
        shared["Objective"] = inner
        return {"$ref": "#/$defs/Objective"}
    return inner

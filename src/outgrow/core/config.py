"""The bases of configuration models: frozen, strict about types, and closed to unknown keys."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_serializer
from pydantic_core import CoreSchema


class Config(BaseModel):
    """A frozen pydantic model that refuses unknown keys and does not turn one type into another.

    Whole numbers are accepted where a float is expected; lists are accepted for tuples when the model is read
    from a recipe (`outgrow.recipe.recipe` validates in JSON mode). Its JSON Schema tells what its docstring says.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """The schema with the docstring's first paragraph, and its "Attributes:" entries at their properties."""
        schema = handler(core_schema)
        inner = handler.resolve_ref_schema(schema)
        inner["description"] = " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())
        for key, text in attribute_docs(cls).items():
            if key in inner.get("properties", {}):
                inner["properties"][key]["description"] = text
        return schema


class Settled(Config):
    """A configuration that has got new settings: those that are off are not written down.

    What is written down goes into the keys of results, and a setting that is off changes none.

    Attributes:
        LATER: names of these settings.
    """

    LATER: ClassVar[tuple[str, ...]] = ()

    @model_serializer(mode="wrap")
    def _without_what_is_off(self, handler: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
        fields = type(self).model_fields
        off = {name for name in self.LATER if getattr(self, name) == fields[name].default}
        return {name: value for name, value in handler(self).items() if name not in off}


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

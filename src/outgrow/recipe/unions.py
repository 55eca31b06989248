"""The JSON Schema of what a recipe chooses by name: made of the registries when it is asked for, plugins included."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from pydantic import BaseModel, GetJsonSchemaHandler
from pydantic_core import CoreSchema

from outgrow.methods import METHODS
from outgrow.objectives import OBJECTIVES
from outgrow.reliability.annotator_models import ESTIMATORS
from outgrow.supervisors import SUPERVISORS
from outgrow.tasks import TASKS

Schema = dict[str, Any]


class Union:
    """Marks a field, read by a function of its own, as one of several models."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> Schema:
        """One schema for each model."""
        return self.schema(handler)

    def schema(self, handler: GetJsonSchemaHandler) -> Schema:
        """The field's schema."""
        raise NotImplementedError

    @staticmethod
    def of(model: type[BaseModel], handler: GetJsonSchemaHandler) -> Schema:
        """A model's own schema, to be changed."""
        schema = model.__get_pydantic_json_schema__(model.__pydantic_core_schema__, handler)
        return copy.deepcopy(handler.resolve_ref_schema(schema))


class TaskUnion(Union):
    """The kinds of task, told apart by `kind`."""

    def schema(self, handler: GetJsonSchemaHandler) -> Schema:
        """One of the kinds."""
        kinds = ((spec, self.of(spec.config_model(), handler)) for spec in TASKS.loaded()[0].values())
        return {"oneOf": [_tagged(schema, "kind", spec.kind, spec.doc) for spec, schema in kinds]}


class SupervisorUnion(Union):
    """The kinds of supervisor, told apart by `kind`; `local` may leave it out, and all may leave out their name."""

    def schema(self, handler: GetJsonSchemaHandler) -> Schema:
        """One of the kinds."""
        return {"oneOf": list(self.kinds(handler))}

    def kinds(self, handler: GetJsonSchemaHandler) -> Iterator[Schema]:
        """The schema of each kind, as a recipe may write it."""
        for spec in SUPERVISORS.loaded()[0].values():
            schema = _tagged(self.of(spec.config_model(), handler), "kind", spec.kind, spec.doc)
            optional = {"name"} | ({"kind"} if spec.kind == "local" else set())
            schema["required"] = [key for key in schema["required"] if key not in optional]
            schema["properties"].setdefault("train", {"type": "null", "description": "Nothing to tune."})
            yield schema


class ParaphraserUnion(SupervisorUnion):
    """`supervisor`, or somebody else who can write."""

    def schema(self, handler: GetJsonSchemaHandler) -> Schema:
        """The word, or one of the kinds but `file`, as it is."""
        writers = [kind for kind in self.kinds(handler) if kind["properties"]["kind"]["const"] != "file"]
        for writer in writers:
            writer["properties"]["train"] = {"type": "null", "description": "A paraphraser is taken as it is."}
        return {"oneOf": [{"const": "supervisor"}, *writers]}


class MethodUnion(Union):
    """A method's name, or its settings beside `name`, `id`, `objective` and `estimator`."""

    def schema(self, handler: GetJsonSchemaHandler) -> Schema:
        """A name, or one of the mappings."""
        specs = METHODS.loaded()[0]
        own = {
            "id": {"type": "string", "description": "What tables and figures call this arm; must be unique."},
            "objective": self._objectives(handler),
        }
        text = "The model of annotators that makes labels of all supervisors' answers; null takes the first's."
        estimator = {"estimator": {"enum": [*ESTIMATORS, None], "description": text}}
        mappings = []
        for name, spec in specs.items():
            schema = _tagged(self.of(spec.config, handler), "name", name, spec.doc)
            schema["properties"] |= own if spec.choose is None else own | estimator
            mappings.append(schema)
        plain = [each["properties"]["name"]["const"] for each in mappings if each["required"] == ["name"]]
        return {"oneOf": [{"enum": plain}, *mappings]}

    def _objectives(self, handler: GetJsonSchemaHandler) -> Schema:
        specs = OBJECTIVES.loaded()[0]
        mappings = [_tagged(self.of(spec.settings(), handler), "name", name, spec.doc) for name, spec in specs.items()]
        text = "What is trained by where the method names no objective itself."
        return {"oneOf": [{"enum": list(specs)}, *mappings, {"type": "null"}], "description": text}


def _tagged(schema: Schema, key: str, value: str, doc: str) -> Schema:
    """A model's schema with the key that tells it from others, which must be there."""
    schema["title"], schema["description"] = value, doc
    others = {name: one for name, one in schema.get("properties", {}).items() if name != key}
    schema["properties"] = {key: {"const": value}, **others}
    schema["required"] = [key, *(other for other in schema.get("required", []) if other != key)]
    return schema

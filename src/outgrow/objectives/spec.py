"""An objective as recipes name it, and the settings they may give it."""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, create_model

from outgrow.core.config import Config
from outgrow.core.names import resolve

FIXED = ("name", "version")
"""Fields of an objective that no recipe sets."""


@dataclass(frozen=True)
class ObjectiveSpec:
    """A loss as recipes name it.

    Attributes:
        name: in a recipe.
        objective: a frozen dataclass that is an `outgrow.objectives.base.Objective`, or `module:attr` of it. Its fields
            besides `name` and `version` are its settings.
    """

    name: str
    objective: str | Callable[..., Any]

    @property
    def doc(self) -> str:
        """The first line of the class's docstring."""
        return (resolve(self.objective).__doc__ or "").strip().splitlines()[0]

    def settings(self) -> type[BaseModel]:
        """The model of its settings, checked like every configuration."""
        kind = resolve(self.objective)
        types = typing.get_type_hints(kind, include_extras=True)
        fields: dict[str, Any] = {}
        for each in dataclasses.fields(kind):
            if each.init and each.name not in FIXED:
                default = each.default
                if each.default_factory is not dataclasses.MISSING:
                    default = each.default_factory()
                fields[each.name] = (types[each.name], ... if default is dataclasses.MISSING else default)
        model: type[BaseModel] = create_model(kind.__name__, __base__=Config, __doc__=kind.__doc__, **fields)
        return model

    def build(self, settings: BaseModel) -> Any:
        """The objective with these settings."""
        return resolve(self.objective)(**{name: getattr(settings, name) for name in type(settings).model_fields})

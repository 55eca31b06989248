"""The bases of configuration models: frozen, strict about types, and closed to unknown keys."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, model_serializer


class Config(BaseModel):
    """A frozen pydantic model that refuses unknown keys and does not turn one type into another.

    Whole numbers are accepted where a float is expected; lists are accepted for tuples when the model is read
    from a recipe (`outgrow.recipe.recipe` validates in JSON mode).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)


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

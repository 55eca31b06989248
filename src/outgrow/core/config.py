"""The base of every configuration model: frozen, strict about types, and closed to unknown keys."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Config(BaseModel):
    """A frozen pydantic model that refuses unknown keys and does not turn one type into another.

    Whole numbers are accepted where a float is expected; lists are accepted for tuples when the model is read
    from a recipe (`outgrow.recipe.recipe` validates in JSON mode).
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)

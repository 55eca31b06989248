"""What all parts of the typed results share: a null number reads as NaN, for "no data" is never 0."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict


def _null_is_nan(value: Any) -> Any:
    return math.nan if value is None else value


Number = Annotated[float, BeforeValidator(_null_is_nan)]


class View(BaseModel):
    """Frozen; keys that this version does not know are ignored, so that older reports read newer results."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())


class Estimate(View):
    """A number with its 95 % interval; NaN bounds where there is none."""

    value: Number = math.nan
    low: Number = math.nan
    high: Number = math.nan


class Accuracy(Estimate):
    """A mean over seeds, in 0..1."""

    per_seed: tuple[Number, ...] = ()

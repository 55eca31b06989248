"""What a method is to the rest of the toolkit: a function of a lab, its settings, and what it may use."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import pyarrow as pa

from outgrow.core.config import Config
from outgrow.core.errors import PrerequisiteError
from outgrow.core.lab import Lab, Student

Form = Literal["corrected", "published"]
Stratify = Literal["label"] | None


class MethodConfig(Config):
    """Settings of one method; subclasses add fields."""


@dataclass(frozen=True)
class MethodSpec:
    """One method as recipes and reports know it.

    Attributes:
        name: in a recipe.
        config: the model of its settings.
        function: the method itself.
        uses_gold: whether it may call `lab.gold`; a report marks such arms as oracles.
        control: whether it is there for comparison and not for use.
    """

    name: str
    config: type[MethodConfig]
    function: Callable[[Lab, Any], Student]
    uses_gold: bool = False
    control: bool = False

    @property
    def doc(self) -> str:
        """The first line of the function's docstring."""
        return (self.function.__doc__ or "").strip().splitlines()[0]


def all_answers_of(lab: Lab) -> pa.Table:
    """The first supervisor's answers to the pool, every wording and sample of the recipe."""
    return lab.ask(lab.supervisors[0], lab.pool)


def require_repeats(labels: pa.Table, method: str) -> pa.Table:
    """`labels`, refused where no question was asked more than once.

    Raises:
        PrerequisiteError: every question has one answer, so agreement says nothing.
    """
    asked = (v + i for v, i in zip(labels["n_valid"].to_pylist(), labels["n_invalid"].to_pylist(), strict=True))
    if max(asked, default=0) < 2:
        raise PrerequisiteError(
            f"{method} needs at least two answers to a question, every question has one; "
            "set ask.variants or ask.samples to 2 or more"
        )
    return labels

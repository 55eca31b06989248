"""Which supervisors teach a student: all, one, or crowds that a recipe names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

from pydantic import Field

from outgrow.core.config_errors import fault
from outgrow.core.names import unknown
from outgrow.supervisors.config import Name

Crowd = Annotated[tuple[str, ...], Field(min_length=1)]
Grid = Literal["each", "smaller", "together"] | Annotated[dict[Name, Crowd], Field(min_length=1)]
"""See `Recipe.grid`."""


def crowds(grid: Mapping[str, Sequence[str]], supervisors: Sequence[Any]) -> dict[str, tuple[int, ...]]:
    """The crowds of a grid: name to the places of its supervisors.

    Raises:
        ConfigError: a supervisor that is not known, or that stands twice in one crowd.
    """
    names = [each.name for each in supervisors]
    for crowd, members in grid.items():
        for place, member in enumerate(members):
            if member not in names:
                raise fault(unknown("supervisor", member, names), member, "grid", crowd, place)
            if member in members[:place]:
                raise fault("stands in this crowd already; leave it out", member, "grid", crowd, place)
    return {crowd: tuple(map(names.index, members)) for crowd, members in grid.items()}


def several_annotators(grid: Grid, supervisors: Sequence[Any]) -> bool:
    """Whether every student has answers of several: of supervisors, or of those in a file with `apart`.

    Raises:
        ConfigError: as `crowds`.
    """
    smallest = len(supervisors) if grid == "together" else 1
    if isinstance(grid, dict):
        smallest = min(map(len, crowds(grid, supervisors).values()))
    return smallest > 1 or any(getattr(each, "apart", False) for each in supervisors)

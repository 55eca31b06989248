"""The cells of an experiment: which supervisors teach which student."""

from __future__ import annotations

import re
from dataclasses import dataclass

from outgrow.core.errors import ConfigError
from outgrow.core.hashing import sha256_text
from outgrow.models.config import ModelRef
from outgrow.models.known_shapes import find_shape
from outgrow.recipe.crowds import crowds
from outgrow.recipe.recipe import Recipe
from outgrow.supervisors.config import LocalSupervisor


@dataclass(frozen=True)
class Cell:
    """Some of a recipe's supervisors with one of its students.

    Attributes:
        supervisors: places of the supervisors in the recipe.
        student: place of the student.
        name: what tables call it; empty where the recipe has one cell.
    """

    supervisors: tuple[int, ...]
    student: int
    name: str = ""


def cell_folder(name: str) -> str:
    """Where the files of a cell of that name lie, from the run's folder; an empty text for the only one."""
    plain = re.sub(r"[^A-Za-z0-9._=+-]+", "-", name)
    if len(plain) > 200:  # file systems take 255
        plain = f"{plain[:180]}-{sha256_text(name)[:12]}"
    return f"cells/{plain}/" if name else ""


def cells_of(recipe: Recipe) -> tuple[Cell, ...]:
    """The cells of a recipe, in its order: supervisors first.

    `together`: every student with all supervisors; `each`: every supervisor with every student; `smaller`: those pairs
    in which the supervisor has fewer parameters; crowds: every student with each.

    Raises:
        ConfigError: no pair is left, or a size that is needed is not known.
    """
    students, supervisors = range(len(recipe.students)), range(len(recipe.supervisors))
    names, strong = [own.name for own in recipe.supervisors], recipe.student_names
    if isinstance(recipe.grid, dict):
        named = [
            (crowd, who, student)
            for crowd, who in crowds(recipe.grid, recipe.supervisors).items()
            for student in students
        ]
        if len(named) == 1:
            return (Cell(named[0][1], 0),)
        return tuple(
            Cell(who, student, f"{crowd} to {strong[student]}" if len(strong) > 1 else crowd)
            for crowd, who, student in named
        )
    if recipe.grid == "together":
        pairs = [(tuple(supervisors), student) for student in students]
    else:
        pairs = [((supervisor,), student) for supervisor in supervisors for student in students]
    if recipe.grid == "smaller":
        size = [_parameters(model) for model in recipe.students]
        pairs = [(who, student) for who, student in pairs if _parameters(recipe.supervisors[who[0]]) < size[student]]
    if not pairs:
        raise ConfigError("grid: smaller leaves no pair, since no supervisor is smaller than a student; use grid: each")
    if len(pairs) == 1:
        return (Cell(*pairs[0]),)
    return tuple(
        Cell(who, student, f"{' + '.join(names[i] for i in who)} to {strong[student]}") for who, student in pairs
    )


def models_of(recipe: Recipe, cell: Cell) -> tuple[int, ...]:
    """Places of the further base models that methods of a cell may use, in the recipe's order.

    All of them, or in `grid: smaller` those larger than the cell's supervisor and smaller than its student.
    """
    places = range(len(recipe.models))
    if recipe.grid != "smaller":
        return tuple(places)
    low = max(_parameters(recipe.supervisors[i]) for i in cell.supervisors)
    high = _parameters(recipe.students[cell.student])
    return tuple(i for i in places if low < _parameters(recipe.models[i]) < high)


def _parameters(model: object) -> int:
    if isinstance(model, LocalSupervisor | ModelRef):
        return int(find_shape(model, {}).parameters)
    name = getattr(model, "name", "")
    raise ConfigError(f"grid: smaller compares sizes, and that of '{name}' is not known; use grid: each")

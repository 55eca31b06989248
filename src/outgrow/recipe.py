"""The typed recipe: YAML in, canonical JSON out. Reading one needs neither torch nor the task's files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PrivateAttr, ValidationError, field_validator, model_validator

from outgrow import tasks
from outgrow.config import Config
from outgrow.config_errors import fault, report, validate
from outgrow.errors import ConfigError
from outgrow.names import unknown
from outgrow.recipe_parts import (
    Arm,
    Ask,
    Count,
    Evaluation,
    Method,
    Model,
    Name,
    Primary,
    Reliability,
    Supervisor,
    Task,
    name_arms,
    short_name,
    valid_train,
)
from outgrow.recipe_yaml import apply_overrides, read_yaml
from outgrow.tasks.base import Task as BuiltTask
from outgrow.training.config import TrainConfig


class Recipe(Config):
    """One experiment.

    Attributes:
        name: of the run's folder and report.
        task: the configuration of its kind (`outgrow.tasks.TASKS`).
        supervisors: who answers; methods of one supervisor take the first.
        ask: how they are asked.
        reliability: how their answers are rated.
        student: the strong model, before training.
        train: how students and the ceiling are trained, and supervisors where they say nothing else.
        methods: the arms, in the order of the report.
        seeds: one repetition each (definition 8).
        threads: per job; part of what decides the numbers.
        jobs: processes at a time; null takes one per core. Does not change the numbers.
        data_dir: where the task's files are, relative to the current folder.
        primary: the comparison the experiment was made for.
        evaluation: the bootstrap's settings.
    """

    name: Name = "run"
    task: Task
    supervisors: Annotated[tuple[Supervisor, ...], Field(min_length=1)]
    ask: Ask = Ask()
    reliability: Reliability = Reliability()
    student: Model
    train: TrainConfig = TrainConfig()
    methods: Annotated[tuple[Method, ...], Field(min_length=1)]
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0, 1, 2, 3, 4)
    threads: Count = 1
    jobs: Count | None = None
    data_dir: str = "./data"
    primary: Primary | None = None
    evaluation: Evaluation = Evaluation()

    _given: dict[str, Any] = PrivateAttr(default_factory=dict)
    _path: str | None = PrivateAttr(default=None)

    @field_validator("methods")
    @classmethod
    def _unique_arms(cls, arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
        return name_arms(arms)

    @field_validator("seeds")
    @classmethod
    def _distinct_seeds(cls, seeds: tuple[int, ...]) -> tuple[int, ...]:
        if len(set(seeds)) < len(seeds):
            raise ValueError("the same seed stands twice; every seed is a repetition of its own")
        return seeds

    @field_validator("supervisors")
    @classmethod
    def _distinct_names(cls, supervisors: tuple[Supervisor, ...]) -> tuple[Supervisor, ...]:
        names = [s.name for s in supervisors]
        if len(set(names)) < len(names):
            raise ValueError(f"two supervisors have the same name: {names}")
        return supervisors

    @model_validator(mode="after")
    def _known_arms(self) -> Recipe:
        ids = [arm.id for arm in self.methods]
        for side, arm in () if self.primary is None else (("a", self.primary.a), ("b", self.primary.b)):
            if arm not in ids:
                raise fault(unknown("arm", arm, ids), arm, "primary", side)
        return self

    @property
    def given(self) -> Mapping[str, Any]:
        """The recipe as it was written, overrides applied, nothing filled in."""
        return self._given

    @property
    def path(self) -> str | None:
        """The file it was read from; None when it was not read from one."""
        return self._path

    def resolved(self) -> dict[str, Any]:
        """Every setting as plain values, defaults filled in; reading it again gives the same recipe."""
        return self.model_dump(mode="json")

    def canonical_json(self) -> str:
        """What decides the numbers, as JSON with sorted keys: everything but `jobs` and `data_dir`."""
        plain = self.model_dump(mode="json", exclude={"jobs", "data_dir"})
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)

    def build_task(self) -> BuiltTask:
        """The task itself, its files read from `data_dir`."""
        return tasks.spec(self.task.kind).build(self.task, Path(self.data_dir))


def _fill_in(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Supervisors inherit what they do not say themselves: the recipe's `train`, a name from their model."""
    supervisors = raw.get("supervisors")
    if not isinstance(supervisors, list):
        return dict(raw)
    filled, names = [], set[str]()
    for item in supervisors:
        if isinstance(item, dict):
            own = item.get("train", {})
            train = {**valid_train(raw.get("train", {})), **own} if isinstance(own, dict) else own
            item = {**item, "train": train, "name": item.get("name") or short_name(item.get("model"), names)}
            names.add(str(item["name"]))
        filled.append(item)
    return {**raw, "supervisors": filled}


def parse_recipe(raw: Mapping[str, Any], *, name: str = "recipe", path: str | None = None) -> Recipe:
    """A recipe from plain values.

    Raises:
        ConfigError: all faults at once, each with its key, the value seen and, where one is near, a suggestion.
    """
    try:
        recipe = validate(Recipe, _fill_in(raw))
    except ValidationError as error:
        raise ConfigError(report(error, name)) from None
    recipe._given, recipe._path = dict(raw), path
    return recipe


def builtin_recipes() -> dict[str, Path]:
    """The recipes that ship with the package, by name."""
    folder = Path(str(resources.files("outgrow") / "recipes"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def load_recipe(path: str | Path | None = None, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        path: a YAML file, or the name of a recipe that ships with the package; None for the demo.
        overrides: `key.sub=value` each, the value in YAML; applied in order.

    Raises:
        ConfigError: the file or an override is wrong; all faults at once, each with its key, the value seen and,
            where one is near, a suggestion.
    """
    shipped = builtin_recipes()
    source = shipped["demo"] if path is None else Path(path)
    if path is not None and not source.exists():
        source = shipped.get(str(path), source)
    raw = apply_overrides(read_yaml(source), overrides)
    return parse_recipe(raw, name=str(path or "the demo recipe"), path=str(source))

"""The typed recipe: YAML in, canonical JSON out. Reading one needs neither torch nor the task's files."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import Field, PrivateAttr, ValidationError, field_validator, model_validator

from outgrow import tasks
from outgrow.core.config import Settled
from outgrow.core.config_errors import fault, report, validate
from outgrow.core.errors import ConfigError, DataError
from outgrow.core.names import did_you_mean, unknown
from outgrow.core.plugins import load_plugin, loaded_plugins, restore_plugins
from outgrow.methods import METHODS
from outgrow.recipe.crowds import Grid, several_annotators
from outgrow.recipe.parts import (
    Arm,
    Ask,
    Count,
    Evaluation,
    Method,
    Primary,
    Reliability,
    Sft,
    Supervisor,
    Task,
    distinct_names,
    name_arms,
    short_name,
    valid_train,
)
from outgrow.recipe.yaml import apply_overrides, read_yaml
from outgrow.supervisors import SUPERVISORS
from outgrow.supervisors.config import Model, Name
from outgrow.tasks.base import Task as BuiltTask
from outgrow.tasks.table_config import TableConfig
from outgrow.training.config import TrainConfig

Kind = TypeVar("Kind", bound="Labelling")
PLACES = ("data_dir", "the recipe's own folder")
"""What messages call `Labelling.folders`."""


class Labelling(Settled):
    """Who is asked what, and how: the part of a recipe that gives answers without training a student.

    Attributes:
        name: of the run's folder and report.
        task: the configuration of its kind (`outgrow.tasks.TASKS`).
        supervisors: who answers (`outgrow.supervisors.SUPERVISORS`); methods of one supervisor take the first.
        objective: which gold, where the task's has several objectives.
        ask: how they are asked.
        train: how supervisors are tuned where they say nothing else, and in an experiment students and the ceiling.
        threads: per job; part of what decides the numbers.
        data_dir: where the task's and the supervisors' files are, relative to the current folder; tables and answers
            may also lie beside the recipe's file.
        tracking: who is shown the curves of trainings (`outgrow.training.trackers`). Does not change the numbers.
        tracking_dir: where trackers that write files put them.
        plugins: Python files that register methods, tasks and the like, relative to the recipe's file or the current
            folder.
    """

    LATER: ClassVar[tuple[str, ...]] = ("plugins",)

    name: Name = "run"
    task: Task
    supervisors: Annotated[tuple[Supervisor, ...], Field(min_length=1)]
    objective: str | None = None
    ask: Ask = Ask()
    train: TrainConfig = TrainConfig()
    threads: Count = 1
    data_dir: str = "./data"
    tracking: tuple[Literal["tensorboard", "mlflow", "wandb", "trackio"], ...] = ()
    tracking_dir: str = "./tracking"
    plugins: tuple[str, ...] = ()

    _given: dict[str, Any] = PrivateAttr(default_factory=dict)
    _path: str | None = PrivateAttr(default=None)

    @field_validator("supervisors")
    @classmethod
    def _distinct_names(cls, supervisors: tuple[Any, ...]) -> tuple[Any, ...]:
        names = [s.name for s in supervisors]
        if len(set(names)) < len(names):
            raise ValueError(f"two supervisors have the same name: {names}")
        return supervisors

    @model_validator(mode="after")
    def _paraphraser_writes(self) -> Labelling:
        first = self.supervisors[0]
        if "paraphrase" in self.ask.kinds and self.ask.paraphraser == "supervisor" and first.kind == "file":
            raise fault(
                f"the first supervisor, '{first.name}', is a file and cannot write paraphrases; name one that can",
                self.ask.paraphraser, "ask", "paraphraser",
            )  # fmt: skip
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        """Plain values, and the plugin files that are needed to read them: what is read may be of a plugin's class."""
        return _unpack, (type(self), self.resolved(), self._given, self._path, loaded_plugins())

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

    @property
    def folders(self) -> tuple[Path, ...]:
        """Where its files are looked for: in `data_dir`, then beside the file that it was read from."""
        beside = None if self._path is None else Path(self._path)
        shipped = beside in builtin_recipes().values()
        return (Path(self.data_dir), *([] if beside is None or shipped else [beside.parent]))

    def folder_of(self, names: Iterable[str], reader: str) -> Path:
        """The first of its folders that has files of all these names.

        Args:
            names: relative to the folder.
            reader: who reads them, for the message.

        Raises:
            DataError: there is none.
        """
        names = list(names)
        lacking = [[name for name in names if not (folder / name).is_file()] for folder in self.folders]
        for folder, missing in zip(self.folders, lacking, strict=True):
            if not missing:
                return folder
        name = lacking[0][0]
        there = [path.name for folder in self.folders for path in folder.glob("*")]
        looked = " nor ".join(f"{where} ('{folder}')" for where, folder in zip(PLACES, self.folders, strict=False))
        raise DataError(f"no such file: {name}, which {reader} reads, is not in {looked}{did_you_mean(name, there)}")

    def build_task(self) -> BuiltTask:
        """The task itself, its files read from `data_dir`, or from beside the recipe where those of a table are."""
        names = self.task.paths().values() if isinstance(self.task, TableConfig) else ()
        return tasks.build(self.task, self.folder_of(names, "the task"))


class Recipe(Labelling):
    """One experiment.

    Attributes:
        reliability: how answers are rated.
        student: the strong model, before training; of several `students` the first.
        students: strong models, where there are several: a cell of results each.
        models: further base models that methods may use, between weak and strong; with `grid: smaller` a cell has
            those that are between its supervisor and its student in size.
        sft: students are first fine-tuned on gold of `supervisor_train`, once for all seeds: what arms begin with and
            what tables call the student before training, as an instruction-tuned model is where one is at hand.
        grid: which supervisors teach which student: every student is taught by all supervisors `together`, by `each`
            in a cell of its own, or by each that is `smaller`; or by crowds, each a name and its supervisors' names.
        methods: the arms, in the order of the report.
        seeds: one repetition each (definition 8).
        jobs: processes at a time; null takes one per core. Does not change the numbers.
        primary: the comparison the experiment was made for.
        evaluation: what is measured beside accuracy.
    """

    LATER: ClassVar[tuple[str, ...]] = (*Labelling.LATER, "sft")

    reliability: Reliability = Reliability()
    student: Model
    students: Annotated[tuple[Model, ...], Field(min_length=1)]
    models: tuple[Model, ...] = ()
    sft: Sft | None = None
    grid: Grid = "together"
    methods: Annotated[tuple[Method, ...], Field(min_length=1)]
    seeds: Annotated[tuple[Annotated[int, Field(ge=0)], ...], Field(min_length=1)] = (0, 1, 2, 3, 4)
    jobs: Count | None = None
    primary: Primary | None = None
    evaluation: Evaluation = Evaluation()

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

    @property
    def student_names(self) -> tuple[str, ...]:
        """What tables call the students; "student" where there is one."""
        return distinct_names(self.students) if len(self.students) > 1 else ("student",)

    @property
    def model_names(self) -> tuple[str, ...]:
        """What tables call the further base models."""
        return distinct_names(self.models)

    @model_validator(mode="after")
    def _one_student(self) -> Recipe:
        if self.student != self.students[0]:
            raise fault("a recipe has a student or students, not both", self.student.model, "student")
        return self

    @model_validator(mode="after")
    def _known_arms(self) -> Recipe:
        ids = [arm.id for arm in self.methods]
        for side, arm in () if self.primary is None else (("a", self.primary.a), ("b", self.primary.b)):
            if arm not in ids:
                raise fault(unknown("arm", arm, ids), arm, "primary", side)
        deceived = self.evaluation.deception
        for key, arm in () if deceived is None else deceived.named:
            if arm not in ids:
                raise fault(unknown("arm", arm, ids), arm, "evaluation", "deception", key)
        return self

    @model_validator(mode="after")
    def _enough_annotators(self) -> Recipe:
        several = several_annotators(self.grid, self.supervisors)
        for place, arm in enumerate(() if several else self.methods):
            if arm.estimator is not None or METHODS.require(arm.name).needs == "annotators":
                raise fault(
                    "needs several annotators for each student: several supervisors with grid: together, or a file of "
                    "several people's answers with apart: true", arm.id, "methods", place,
                )  # fmt: skip
        return self

    def build_task(self) -> BuiltTask:
        """As `Labelling.build_task`.

        Raises:
            ConfigError: a split that an experiment needs has no questions.
        """
        task = super().build_task()
        if lacking := [split for split in ("pool", "validation", "test") if split not in task.splits]:
            raise ConfigError(
                f"task '{task.name}' has no questions in {', '.join(lacking)}; an experiment needs them. Questions "
                "without gold can only be labelled: outgrow label"
            )
        return task

    def canonical_json(self) -> str:
        """What decides the numbers, as JSON with sorted keys: not `jobs`, not where files are, not `tracking`."""
        plain = self.model_dump(mode="json", exclude={"jobs", "data_dir", "tracking", "tracking_dir", "plugins"})
        return json.dumps(plain, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _fill_in(raw: Mapping[str, Any]) -> dict[str, Any]:
    """Supervisors inherit what they do not say themselves: the recipe's `train`, a name from their model or file."""
    supervisors, ask = raw.get("supervisors"), raw.get("ask")
    filled, names = dict(raw), set[str]()
    if "student" in raw and "students" not in raw:
        filled["students"] = [raw["student"]]
    elif isinstance(raw.get("students"), list) and raw["students"] and "student" not in raw:
        filled["student"] = raw["students"][0]
    if isinstance(supervisors, list):
        filled["supervisors"] = [_named(item, valid_train(raw.get("train", {})), names) for item in supervisors]
    if isinstance(raw.get("sft"), dict):
        filled["sft"] = {**valid_train(raw.get("train", {})), **raw["sft"]}
    if isinstance(ask, dict) and isinstance(ask.get("paraphraser"), dict):
        filled["ask"] = {**ask, "paraphraser": _named({"train": None, **ask["paraphraser"]}, {}, names)}
    return filled


def _named(item: Any, train: Mapping[str, Any], names: set[str]) -> Any:
    if not isinstance(item, dict):
        return item
    kind = item.get("kind", "local")
    title = SUPERVISORS[kind].title if kind in SUPERVISORS else "model"
    named = {**item, "name": item.get("name") or short_name(item.get(title), names)}
    given = item.get("train", {})
    if kind != "local":
        if given is None:
            named.pop("train", None)  # as it is, like every supervisor of another kind
    elif isinstance(given, dict):
        named["train"] = {**train, **given}
    names.add(str(named["name"]))
    return named


def parse_recipe(raw: Mapping[str, Any], *, name: str = "recipe", path: str | None = None) -> Recipe:
    """A recipe from plain values.

    Raises:
        ConfigError: all faults at once, each with its key, the value seen and, where one is near, a suggestion; or a
            plugin cannot be loaded.
    """
    return _parse(Recipe, raw, name, path)


def parse_labelling(raw: Mapping[str, Any], *, name: str = "recipe", path: str | None = None) -> Labelling:
    """Who is asked what, from plain values; what a recipe says besides about students is left aside.

    Raises:
        ConfigError: as `parse_recipe`.
    """
    students = set(Recipe.model_fields) - set(Labelling.model_fields)
    return _parse(Labelling, {key: value for key, value in raw.items() if key not in students}, name, path)


def _parse(model: type[Kind], raw: Mapping[str, Any], name: str, path: str | None) -> Kind:
    plugins = raw.get("plugins")
    for plugin in plugins if isinstance(plugins, list) else ():
        if isinstance(plugin, str):
            beside = Path(plugin if path is None else Path(path).parent / plugin)
            load_plugin(beside if beside.exists() else plugin)
    filled = _fill_in(raw)
    try:
        recipe = validate(model, filled)
    except ValidationError as error:
        repeated = {"student"} if "students" in raw and "student" not in raw else {"students"} - set(raw)
        raise ConfigError(report(error, name, filled, silent=repeated)) from None
    recipe._given, recipe._path = dict(raw), path
    return recipe


def _unpack(
    model: type[Kind], plain: dict[str, Any], given: dict[str, Any], path: str | None, plugins: tuple[Any, ...]
) -> Kind:
    """A recipe that was sent to this process, read where it has arrived."""
    restore_plugins(plugins)
    try:
        recipe = validate(model, plain)
    except ValidationError as error:
        raise ConfigError(report(error, "the recipe, in a worker process,", plain)) from None
    recipe._given, recipe._path = given, path
    return recipe


def builtin_recipes() -> dict[str, Path]:
    """The recipes that ship with the package, by name."""
    folder = Path(str(resources.files("outgrow") / "recipes"))
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def about(path: Path) -> tuple[str, str]:
    """What a shipped recipe shows and what it needs, from the comment that it begins with.

    Its first line says what is shown, a line that begins with "# Needs:" the files, extras and minutes.
    """
    lines = path.read_text(encoding="utf-8").splitlines()
    needs = next((line for line in lines if line.startswith("# Needs: ")), "")
    return lines[0].removeprefix("# "), needs.removeprefix("# Needs: ")


def load_recipe(source: Recipe | Mapping[str, Any] | str | Path | None = None, overrides: Sequence[str] = ()) -> Recipe:
    """Read a recipe.

    Args:
        source: a YAML file, the name of a recipe that ships with the package, plain values, or a recipe; None for the
            demo.
        overrides: `key.sub=value` each, the value in YAML; applied in order.

    Raises:
        ConfigError: the file or an override is wrong; all faults at once, each with its key, the value seen and,
            where one is near, a suggestion.
    """
    if isinstance(source, Recipe):
        if not overrides:
            return source
        raw = apply_overrides(dict(source.given) or source.resolved(), overrides)
        return parse_recipe(raw, name=source.name, path=source.path)
    if isinstance(source, Mapping):
        return parse_recipe(apply_overrides(dict(source), overrides))
    path, raw = _read(source, overrides)
    return parse_recipe(raw, name=str(source or "the demo recipe"), path=str(path))


def load_labelling(path: str | Path | None = None, overrides: Sequence[str] = ()) -> Labelling:
    """Read who is asked what: a recipe, or a file that has no more than `task`, `supervisors` and `ask`.

    Args and errors are those of `load_recipe`.
    """
    source, raw = _read(path, overrides)
    return parse_labelling(raw, name=str(path or "the demo recipe"), path=str(source))


def _read(path: str | Path | None, overrides: Sequence[str]) -> tuple[Path, dict[str, Any]]:
    shipped = builtin_recipes()
    source = shipped["demo"] if path is None else Path(path)
    if path is not None and not source.exists():
        if str(path) not in shipped:
            near = did_you_mean(str(path), shipped) or ";"
            names = ", ".join(shipped)
            raise ConfigError(
                f"recipe '{path}' does not exist{near} give the path of a YAML file, or one that ships: {names}"
            )
        source = shipped[str(path)]
    return source, apply_overrides(read_yaml(source), overrides)

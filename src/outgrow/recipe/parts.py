"""The parts of a recipe: models, how they are asked, the task and the arms."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Annotated, Any, ClassVar, Literal, TypeVar

from pydantic import BaseModel, Field, PlainSerializer, PlainValidator, ValidationError, model_validator

from outgrow.core.config import Config, Settled
from outgrow.core.config_errors import below, fault, validate
from outgrow.core.errors import ConfigError
from outgrow.core.names import unknown
from outgrow.core.registry import Named, Registry
from outgrow.methods import METHODS
from outgrow.objectives import OBJECTIVES
from outgrow.recipe.unions import MethodUnion, ParaphraserUnion, SupervisorUnion, TaskUnion
from outgrow.reliability.annotator_models import ESTIMATORS
from outgrow.supervisors import SUPERVISORS
from outgrow.supervisors.config import LONGEST_NAME, NAME, FileSupervisor, LocalSupervisor
from outgrow.supervisors.server.config import refuse_keys
from outgrow.tasks import TASKS
from outgrow.tasks.variants import Kind
from outgrow.training.config import TrainConfig

T = TypeVar("T", bound=Named)
Count = Annotated[int, Field(ge=1)]


def _read_supervisor(raw: Any) -> BaseModel:
    if isinstance(raw, BaseModel):
        return raw
    if not isinstance(raw, dict):
        raise fault("must be a mapping, for instance {model: microworld/mini} or {kind: file, path: answers.csv}", raw)
    kind = raw.get("kind", "local")
    if not isinstance(kind, str) or kind not in SUPERVISORS:
        raise fault(unknown("kind of supervisor", str(kind), SUPERVISORS), kind, "kind")
    model = _usable(SUPERVISORS, kind, "kind").config_model()
    refuse_keys(raw, model.model_fields)
    return validate(model, raw)


def _usable(registry: Registry[T], name: str, *loc: str) -> T:
    """The specification of a known name; a fault where its package cannot be imported."""
    try:
        return registry[name]
    except ConfigError as error:
        raise fault(str(error), name, *loc) from error


def _read_paraphraser(raw: Any) -> Any:
    if raw == "supervisor":
        return raw
    writer = _read_supervisor(raw)
    if isinstance(writer, FileSupervisor):
        raise fault("a file cannot write paraphrases; name a model or a server", raw)
    if isinstance(writer, LocalSupervisor) and writer.train is not None:
        raise fault("a paraphraser is taken as it is; leave 'train' out", raw, "train")
    return writer


def _plain(supervisor: Any) -> Any:
    return supervisor.model_dump(mode="json") if isinstance(supervisor, BaseModel) else supervisor


Supervisor = Annotated[Any, PlainValidator(_read_supervisor), PlainSerializer(_plain), SupervisorUnion()]
Paraphraser = Annotated[Any, PlainValidator(_read_paraphraser), PlainSerializer(_plain), ParaphraserUnion()]


class Ask(Config):
    """How questions are put to a supervisor.

    Attributes:
        variants: wordings per question, the identity included.
        kinds: where the wordings besides the identity come from, in turns: `task` (its own: permuted options, other
            instructions), `paraphrase` (of the question, by `paraphraser`), `demonstrations` (solved questions before
            the question, in rotated order).
        paraphraser: who writes paraphrases: `supervisor` (the first one, before tuning) or another one; unlike a weak
            supervisor's own, a stronger model's paraphrases lend it strength, which the report says.
        demonstrations: solved questions of `supervisor_train` shown before each question.
        samples: answers per wording.
        temperature: of sampling; 0 is greedy.
        decoding: `options` scores the answers' words, `generate` writes text and parses it, `classify` reads the
            classifier head (its further samples are dropout passes); `auto` follows head and task.
    """

    variants: Count = 5
    kinds: Annotated[tuple[Kind, ...], Field(min_length=1)] = ("task",)
    paraphraser: Paraphraser = "supervisor"
    demonstrations: Annotated[int, Field(ge=0)] = 0
    samples: Count = 1
    temperature: Annotated[float, Field(ge=0)] = 0.0
    decoding: Literal["auto", "options", "generate", "classify"] = "auto"

    @model_validator(mode="after")
    def _consistent(self) -> Ask:
        if "demonstrations" in self.kinds and self.demonstrations < 2:
            raise fault(
                "rotating demonstrations needs two or more of them; set ask.demonstrations",
                self.demonstrations,
                "demonstrations",
            )
        if "paraphrase" not in self.kinds and self.paraphraser != "supervisor":
            raise fault("a paraphraser needs 'paraphrase' among ask.kinds", list(self.kinds), "kinds")
        return self


class Reliability(Config):
    """How far answers are trusted.

    Attributes:
        temperature: T of the softmax reliability (definition 1).
        estimator: which measure is called reliability.
        decoys: so many pool questions are asked again, once per option, with that option exchanged for a surely wrong
            one: how often a decoy is chosen says how many labels are right, without gold. 0 estimates it from the
            votes, which costs nothing and leans on a model.
    """

    temperature: Annotated[float, Field(gt=0)] = 0.2
    estimator: Literal["softmax", "vote_share", "mean_logprob", "margin", "probability"] = "softmax"
    decoys: Annotated[int, Field(ge=0)] = 0

    def settings(self) -> dict[str, Any]:
        """Arguments of `outgrow.reliability.agreement`."""
        return {"temperature": self.temperature, "estimator": self.estimator}


class Sft(TrainConfig):
    """How students are fine-tuned on gold before all else; what is not said is as in the recipe's `train`.

    Attributes:
        questions: so many of `supervisor_train`, drawn by hash; null takes all.
    """

    questions: Count | None = None

    @property
    def training(self) -> TrainConfig:
        """Without the number of questions."""
        return TrainConfig(**self.model_dump(exclude={"questions"}))


class Primary(Config):
    """The comparison named before the results are seen: arm `a` against arm `b`."""

    a: str
    b: str


class Deceived(Config):
    """Which arms are asked where they give way to a conflict (arXiv 2406.11431).

    Attributes:
        arms: arm with a conflict, and the arm it is compared with, which has none.
        strong: the arm of a student trained on gold: what it is sure of, the strong model knows.
        placebo: the arm among `arms` that has no conflict either.
        threshold: probability of the right answer from which it counts as known.
    """

    arms: Annotated[dict[str, str], Field(min_length=1)]
    strong: str = "own_gold"
    placebo: str | None = None
    threshold: Annotated[float, Field(ge=0.5, le=1)] = 0.75

    @property
    def named(self) -> tuple[tuple[str, str], ...]:
        """The arms it names, each with the key that names it."""
        pairs = [("arms", arm) for pair in self.arms.items() for arm in pair]
        return (*pairs, ("strong", self.strong), *([("placebo", self.placebo)] if self.placebo is not None else ()))


class Loss(BaseModel, frozen=True):
    """The objective of an arm that does not take its method's own.

    Attributes:
        name: its name in `outgrow.objectives.OBJECTIVES`.
        config: its settings.
    """

    name: str
    config: BaseModel

    def plain(self) -> dict[str, Any]:
        """The form it has in a recipe."""
        return {"name": self.name, **self.config.model_dump(mode="json")}

    def build(self) -> Any:
        """The objective itself."""
        return OBJECTIVES.require(self.name).build(self.config)


class Arm(BaseModel, frozen=True):
    """One method with its settings, under an id that is unique in the recipe.

    Attributes:
        id: what tables and figures call it.
        name: the method's name in `outgrow.methods.METHODS`.
        config: the method's own configuration model.
        objective: what the method trains by where it names no objective itself; None for imitation.
        estimator: the model of annotators (`outgrow.reliability.annotator_models`) that labels the pool from the
            answers of all supervisors; None takes the first supervisor's answers.
    """

    id: str
    name: str
    config: BaseModel
    objective: Loss | None = None
    estimator: str | None = None

    def plain(self) -> dict[str, Any]:
        """The form it has in a recipe."""
        loss = {} if self.objective is None else {"objective": self.objective.plain()}
        model = {} if self.estimator is None else {"estimator": self.estimator}
        return {"name": self.name, "id": self.id, **loss, **model, **self.config.model_dump(mode="json")}


def _read_task(raw: Any) -> BaseModel:
    if isinstance(raw, BaseModel):
        return raw
    if not isinstance(raw, dict):
        raise fault("must be a mapping with a 'kind', for instance {kind: table, path: data.csv, ...}", raw)
    kind = raw.get("kind")
    if not isinstance(kind, str) or kind not in TASKS:
        raise fault("is missing" if kind is None else unknown("task", str(kind), TASKS), kind, "kind")
    return validate(_usable(TASKS, kind, "kind").config_model(), raw)


def _named(registry: Registry[T], raw: Any, *loc: str) -> tuple[str, T, dict[str, Any]]:
    """A name or a mapping with `name` and settings, at `loc`: the name, its specification, the settings."""
    given = {"name": raw} if isinstance(raw, str) else raw
    if not isinstance(given, dict) or not isinstance(given.get("name"), str):
        raise fault(f"must be the name of one {registry.what}, or a mapping with 'name' and settings", raw, *loc)
    name, place = given["name"], (*loc, *(["name"] if isinstance(raw, dict) else []))
    if name not in registry:
        raise fault(unknown(registry.what, name, registry), name, *place)
    return name, _usable(registry, name, *place), {key: value for key, value in given.items() if key != "name"}


def _read_arm(raw: Any) -> Arm:
    if isinstance(raw, Arm):
        return raw
    name, spec, settings = _named(METHODS, raw)
    arm_id, loss, estimator = settings.pop("id", ""), settings.pop("objective", None), settings.pop("estimator", None)
    if not isinstance(arm_id, str) or (arm_id and not re.match(NAME, arm_id)):
        raise fault("must be text of letters, digits and . _ = , + - or blanks", arm_id, "id")
    if len(arm_id) > LONGEST_NAME:
        raise fault(f"must have at most {LONGEST_NAME} characters", arm_id, "id")
    if estimator is not None and spec.choose is None:
        able = [each for each, other in METHODS.loaded()[0].items() if other.choose is not None]
        raise fault(
            f"has no meaning for {name}; methods that label first take it: {', '.join(able)}", estimator, "estimator"
        )
    if estimator is not None and estimator not in ESTIMATORS:
        raise fault(unknown("model of annotators", str(estimator), ESTIMATORS), estimator, "estimator")
    return Arm(
        id=arm_id, name=name, config=validate(spec.config, settings), objective=_read_loss(loss), estimator=estimator
    )


def _read_loss(raw: Any) -> Loss | None:
    if raw is None:
        return None
    name, spec, settings = _named(OBJECTIVES, raw, "objective")
    try:
        return Loss(name=name, config=validate(spec.settings(), settings))
    except ValidationError as error:
        raise below(error, "objective") from None


def name_arms(arms: tuple[Arm, ...]) -> tuple[Arm, ...]:
    """Arms with ids: the method's name, with its settings behind it where a method occurs more than once."""
    named = []
    for arm in arms:
        twins = [other for other in arms if other.name == arm.name]
        given = arm.config.model_dump(mode="json", include=arm.config.model_fields_set)
        given |= {} if arm.objective is None else {"objective": arm.objective.name}
        given |= {} if arm.estimator is None else {"estimator": arm.estimator}
        settings = ",".join(f"{key}={json.dumps(value).strip(chr(34))}" for key, value in given.items())
        default = f"{arm.name} {settings}".strip() if len(twins) > 1 else arm.name
        named.append(arm.model_copy(update={"id": arm.id or default}))
    ids = [arm.id for arm in named]
    if twice := sorted({i for i in ids if ids.count(i) > 1}):
        raise ValueError(f"arms {twice} stand twice; give them different settings, or an 'id' each")
    return tuple(named)


Task = Annotated[Any, PlainValidator(_read_task), PlainSerializer(_plain), TaskUnion()]
Method = Annotated[Arm, PlainValidator(_read_arm), PlainSerializer(Arm.plain), MethodUnion()]


class Evaluation(Settled):
    """How arms are compared.

    Attributes:
        metrics: further metrics beside accuracy (`outgrow.evaluation.METRICS`).
        checkpoints: keep a table, without gold, of what every checkpoint answers to `validation` and `test`, or to
            `validation` alone.
        deception: where students with a conflicting goal give way to it.
        out_of_distribution: another task with the same classes, whose test questions trained students are asked as
            well: how right they are there, and whether they are less sure.
    """

    LATER: ClassVar[tuple[str, ...]] = ("deception", "out_of_distribution")

    metrics: tuple[str, ...] = ()
    checkpoints: bool | Literal["validation"] = False
    deception: Deceived | None = None
    out_of_distribution: Task | None = None


def valid_train(raw: Any) -> dict[str, Any]:
    """The recipe's `train` as given; nothing where it is faulty, which is told once, under its own key."""
    try:
        TrainConfig.model_validate_json(json.dumps(raw))
    except (ValidationError, TypeError):
        return {}
    return dict(raw)


def short_name(model: Any, taken: set[str]) -> str:
    """The last part of a model's name as a supervisor's name, numbered when it is taken."""
    base = re.sub(r"[^A-Za-z0-9._-]+", "-", str(model).rstrip("/").rsplit("/", 1)[-1]).lstrip("._-") or "supervisor"
    base = base[: LONGEST_NAME - 10]
    name, number = base, 2
    while name in taken:
        name, number = f"{base}-{number}", number + 1
    return name


def distinct_names(models: Iterable[Any]) -> tuple[str, ...]:
    """A short name of each model, no two alike."""
    names: list[str] = []
    for model in models:
        names.append(short_name(model.model, set(names)))
    return tuple(names)

"""Supervisors as a recipe names them. Nothing here needs torch or a network."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field, model_validator

from outgrow.core.config import Config
from outgrow.core.config_errors import fault
from outgrow.core.errors import ConfigError
from outgrow.core.names import unknown
from outgrow.core.tables import ANSWERS
from outgrow.models import files as models
from outgrow.models import minilm
from outgrow.models.config import ModelRef
from outgrow.supervisors.server.config import ServerConfig
from outgrow.tasks.splits import ROUNDING
from outgrow.training.config import TrainConfig

NAME = r"^[A-Za-z0-9][A-Za-z0-9._=,+ -]*$"  # names become columns and files
LONGEST_NAME = 100
Name = Annotated[str, Field(pattern=NAME, max_length=LONGEST_NAME)]


def _known_model(name: str) -> str:
    """Refuses a shipped model or a folder that does not exist; a missing extra is told when the run starts."""
    if name in minilm.NAMES or (models.of_world(name) and not any(map(models.of_world, models.available()))):
        return name
    try:
        models.resolve(name)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return name


class Model(ModelRef):
    """A model that is known to exist, as far as that can be told without a network."""

    model: Annotated[str, Field(min_length=1), AfterValidator(_known_model)]


class GoldPart(Config):
    """A part of `supervisor_train`, for supervisors that differ in what they learnt; groups are never torn.

    Attributes:
        share: of the questions, in (0, 1].
        part: which of the disjoint parts of that share, from 0; two supervisors with equal settings see the same
            questions. Demonstrations are drawn from the whole split.
    """

    share: Annotated[float, Field(gt=0, le=1)] = 1.0
    part: Annotated[int, Field(ge=0)] = 0

    @model_validator(mode="after")
    def _within_the_split(self) -> GoldPart:
        if (self.part + 1) * self.share > 1 + ROUNDING:
            there = int(1 / self.share + ROUNDING)
            raise fault(
                f"a share of {self.share:g} leaves room for {there} part{'s' if there > 1 else ''}, counted from 0; "
                f"take a part below {there}, or a share of at most {1 / (self.part + 1):.4g}", self.part, "part",
            )  # fmt: skip
        return self


class LocalSupervisor(Model):
    """A model on this machine, and how it is tuned on `supervisor_train` first.

    Attributes:
        kind: `local`.
        name: what answers call it; a recipe may leave it out, it is then the last part of the model's name.
        train: a recipe gives what differs from its own `train`; null leaves the model as it is.
        gold: tune it on a part of `supervisor_train` alone; null takes all of it.
    """

    LATER: ClassVar[tuple[str, ...]] = (*Model.LATER, "gold")

    kind: Literal["local"] = "local"
    name: Name
    train: TrainConfig | None = TrainConfig()
    gold: GoldPart | None = None

    @model_validator(mode="after")
    def _gold_is_for_tuning(self) -> LocalSupervisor:
        if self.gold is not None and self.train is None:
            raise fault(
                "says what a supervisor is tuned on; leave it out with train: null", self.gold.model_dump(), "gold"
            )
        return self

    @property
    def described(self) -> str:
        """What a report calls it besides its name."""
        return self.model


class ServerSupervisor(ServerConfig):
    """A model behind an OpenAI-compatible endpoint; see `ServerConfig` for the rest of its keys.

    Attributes:
        kind: `server`.
        name: what answers call it; a recipe may leave it out, it is then the last part of the model's name.
    """

    kind: Literal["server"] = "server"
    name: Name

    @property
    def described(self) -> str:
        """What a report calls it besides its name."""
        return self.model if self.revision is None else f"{self.model} ({self.revision})"


class FileSupervisor(Config):
    """Answers that were given before, by people or machines.

    Attributes:
        kind: `file`.
        name: what the answers are called from now on.
        path: JSON Lines, CSV or Parquet with `example_id` and `value`, or with `task`, `worker` and `label`;
            relative to the recipe's `data_dir`, or to the recipe's own folder.
        columns: of an answers table's columns the file's, where they are called otherwise: `{value: weak_label}`.
        text: for a file without ids, the column of the question; several columns are joined, as in a task of
            `kind: table`. Answers belong to the question that is this text but for case and white space.
        probabilities: of values the columns that hold their probabilities. One of a question's values may be left
            out; it has the rest.
        source: take the answers of this source (worker) alone.
        together: take all sources for one crowd whose members are interchangeable: each answer is a sample of it.
        apart: keep the sources' names: each is an annotator, and a model of annotators makes the labels.
    """

    kind: Literal["file"] = "file"
    name: Name
    path: Annotated[str, Field(min_length=1)]
    columns: dict[str, str] = Field(default_factory=dict)
    text: str | Annotated[tuple[str, ...], Field(min_length=1)] | None = None
    probabilities: dict[str, str] = Field(default_factory=dict)
    source: str | None = None
    together: bool = False
    apart: bool = False

    @model_validator(mode="after")
    def _columns_of_answers(self) -> FileSupervisor:
        for name in self.columns:
            if name not in ANSWERS.names:
                raise fault(unknown("column of answers", name, ANSWERS.names), name, "columns")
        for key, ours in (("text", "example_id"), ("probabilities", "probabilities")):
            if getattr(self, key) and ours in self.columns:
                raise fault(f"columns names '{ours}' too; keep one", getattr(self, key), key)
        return self

    @model_validator(mode="after")
    def _one_of(self) -> FileSupervisor:
        given = [name for name in ("source", "together", "apart") if getattr(self, name)]
        if len(given) > 1:
            raise fault(f"{' and '.join(given)} exclude each other; keep one", getattr(self, given[1]), given[1])
        return self

    @property
    def described(self) -> str:
        """What a report calls it besides its name."""
        return f"answers in {self.path.rsplit('/', 1)[-1]}"

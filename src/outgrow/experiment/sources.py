"""Who can be asked and trained: base models, models that earlier steps trained, servers and files of answers."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa

from outgrow.core.errors import ConfigError, DataError
from outgrow.core.hashing import sha256_text
from outgrow.core.lab import Probe, Source, Student
from outgrow.experiment.steps import Steps
from outgrow.models.config import REWARD, ModelRef
from outgrow.models.machine import has_cuda, threads
from outgrow.recipe.recipe import Labelling
from outgrow.store import Artefact
from outgrow.supervisors.asking import Elsewhere
from outgrow.supervisors.config import FileSupervisor, LocalSupervisor
from outgrow.supervisors.queries import Turn
from outgrow.tasks.base import Task
from outgrow.training.config import TrainConfig

if TYPE_CHECKING:
    from outgrow.models.loaded import Loaded


TURNS = "turns.json"
"""Demonstrations in the result of a step, as pairs of prompt and answer."""
CHAT_VERSION = 2
"""Of how answers stand in a chat: from the template's opening to the token that ends a turn."""


@dataclass(frozen=True)
class ModelHandle:
    """A base model, or a model trained by an earlier step.

    Attributes:
        source: its name and key.
        ref: the base model.
        weights: the result of the training that made it; None for a base model, and where results are made up.
        train: settings of that training; None for a base model.
        shown: the result of a step that holds demonstrations, which stand before each question.
        origin: the base model before it went on reading texts (`pretraining.Pretrain`), whose folder `ref` names.
    """

    source: Source
    ref: ModelRef
    weights: Artefact | None = None
    train: TrainConfig | None = None
    shown: Artefact | None = None
    origin: ModelRef | None = None
    kind: Literal["local"] = "local"

    @property
    def turns(self) -> tuple[Turn, ...]:
        """The demonstrations."""
        if self.shown is None:
            return ()
        return tuple(Turn(prompt, answer) for prompt, answer in self.shown.json(TURNS))

    @property
    def folder(self) -> Path | None:
        """The folder of trained weights, brought here if they are behind a URL; None for a base model."""
        return None if self.weights is None else model_folder(self.weights)


@dataclass(frozen=True)
class ProbeHandle:
    """A probe of a model's hidden states: it can be asked, not trained.

    Attributes:
        source: its name and key.
        base: the model.
        weights: the result of fitting it; None where results are made up.
        probe: how it reads.
    """

    source: Source
    base: ModelHandle
    weights: Artefact | None
    probe: Probe
    kind: Literal["probe"] = "probe"


@dataclass(frozen=True)
class ContrastHandle:
    """What changed from one model to another, added to a third: it can be asked, not trained.

    Attributes:
        source: its name and key.
        plus: the model after the change.
        minus: the model before it.
        base: the model it is added to; None for the change alone.
        alpha: how much of it is added.
        weights: the result of the step that made it; None where results are made up.
    """

    source: Source
    plus: ModelHandle
    minus: ModelHandle
    base: ModelHandle | None
    alpha: float
    weights: Artefact | None = None
    kind: Literal["contrast"] = "contrast"

    @property
    def models(self) -> dict[str, ModelHandle]:
        """The models by name."""
        base = {} if self.base is None else {"base": self.base}
        return {**base, "plus": self.plus, "minus": self.minus}

    @property
    def settings(self) -> dict[str, Any]:
        """What is done with them."""
        return {"alpha": self.alpha}


@dataclass(frozen=True)
class BestHandle:
    """A model's answer that a reward model likes best among several: it can be asked, not trained.

    Attributes:
        source: its name and key.
        writer: the model that answers.
        judge: the reward model.
        samples: answers to each wording.
        temperature: of sampling.
        seed: of the draws.
        weights: the result of the step that made it; None where results are made up.
    """

    source: Source
    writer: ModelHandle
    judge: ModelHandle
    samples: int
    temperature: float
    seed: int
    weights: Artefact | None = None
    kind: Literal["best_of"] = "best_of"

    @property
    def models(self) -> dict[str, ModelHandle]:
        """The models by name."""
        return {"writer": self.writer, "judge": self.judge}

    @property
    def settings(self) -> dict[str, Any]:
        """What is done with them."""
        return {"samples": self.samples, "temperature": self.temperature, "seed": self.seed}


@dataclass(frozen=True)
class JointHandle:
    """Several models that decide together: it can be asked, not trained.

    Attributes:
        source: its name and key.
        members: the models.
        shares: weight of each one's log-probabilities, sum 1.
        beams: texts that each model proposes to a wording, by a beam search; 1 is its greedy one.
        weights: the result of the step that made it; None where results are made up.
    """

    source: Source
    members: tuple[ModelHandle, ...]
    shares: tuple[float, ...]
    beams: int = 1
    weights: Artefact | None = None
    kind: Literal["joint"] = "joint"

    @property
    def models(self) -> dict[str, ModelHandle]:
        """The models by number."""
        return {str(number): each for number, each in enumerate(self.members)}

    @property
    def settings(self) -> dict[str, Any]:
        """What is done with them."""
        return {"shares": list(self.shares), **({"beams": self.beams} if self.beams != 1 else {})}


Composed = ContrastHandle | BestHandle | JointHandle
"""Sources made of several models."""
Handle = ModelHandle | Elsewhere | ProbeHandle | Composed


def settings_of(ref: ModelRef) -> dict[str, Any]:
    """How a model's files are used: head, layers, pooling and the like."""
    aside = {"model", "revision", "trust_remote_code", "kind", "name", "train", "gold"}
    settings = ref.model_dump(mode="json", exclude=aside)
    return settings | {"chat": CHAT_VERSION} if ref.chat else settings


def model_folder(artefact: Artefact) -> Path:
    """The folder of trained weights in a training step's result."""
    return artefact.path("model")


def content_hash(table: pa.Table) -> str:
    """A hash of a table's rows, whatever its chunks and metadata."""
    return sha256_text(table.schema.names, table.to_pylist())


class Sources:
    """The models, servers and files of one recipe, and the models trained from them.

    Args:
        recipe: who is there, and with how many threads models are computed.
        task: whose classes a classifier chooses from.
        steps: says what identifies a model's files.

    Attributes:
        sketches: made-up answers, where results are imagined.
    """

    def __init__(self, recipe: Labelling, task: Task, steps: Steps) -> None:
        self.recipe, self.task, self.steps = recipe, task, steps
        self._handles: dict[str, Handle] = {}
        self.sketches: dict[tuple[Any, ...], pa.Table] = {}

    def base(self, ref: ModelRef, name: str) -> ModelHandle:
        """A base model as it comes; one folder used with other layers, head or pooling is another model."""
        self.classes_of(ref)  # a classifier without classes is refused before anything is loaded
        key, settings = self.steps.model_key(ref), settings_of(ref)
        if settings != settings_of(ModelRef(model=ref.model)):
            key = sha256_text(key, settings)
        handle = ModelHandle(Source(name, key), ref)
        self._handles.setdefault(key, handle)
        return handle

    def supervisor(self, config: Any) -> Source:
        """A supervisor of the recipe, or its paraphraser, as it comes."""
        if isinstance(config, LocalSupervisor):
            return self.base(config, config.name).source
        if self.steps.imagined and isinstance(config, FileSupervisor):
            key = sha256_text("file", config.model_dump(mode="json", exclude={"name"}))  # the file may be elsewhere
            there = Elsewhere(Source(config.name, key), config, Path(self.recipe.data_dir))
        else:
            names = [config.path] if isinstance(config, FileSupervisor) else []
            there = Elsewhere.of(config, self.recipe.folder_of(names, f"supervisor '{config.name}'"))
        self._handles.setdefault(there.source.key, there)
        return there.source

    def adopt(self, student: Student, start: ModelHandle, train: TrainConfig, weights: Artefact | None) -> None:
        """Know a model that a step has trained."""
        self.know(ModelHandle(student, start.ref, weights, train, origin=start.origin))

    def number(self, source: Source) -> int:
        """Tells apart those whom a method may ask before anything is trained; 0 for all others."""
        models = getattr(self.recipe, "model_names", ())
        names = [*(each.name for each in self.recipe.supervisors), *models, "student"]
        return names.index(source.name) + 1 if source.name in names else 0

    def know(self, handle: Handle) -> None:
        """Know somebody who can be asked."""
        self._handles[handle.source.key] = handle

    def find(self, source: Source) -> Handle:
        """What is known of a source handed out earlier.

        Raises:
            DataError: the source was not handed out here.
        """
        if source.key not in self._handles:
            raise DataError(f"'{source.name}' is not a model of this lab; lab.models lists them")
        return self._handles[source.key]

    def model(self, source: Source) -> ModelHandle:
        """The model of a source, to be trained or read.

        Raises:
            ConfigError: it answers from elsewhere, so there are no weights here.
            DataError: as `find`.
        """
        handle = self.find(source)
        if not isinstance(handle, ModelHandle):
            raise ConfigError(f"'{source.name}' is a {handle.kind}, not a model on this machine: it can only be asked")
        return handle

    def ref_of(self, source: Source) -> ModelRef:
        """The base model behind a source on this machine, trained, read by a probe, or as it is.

        Whoever has all its weights needs no folder of another step, which may lie on another machine.
        """
        handle = self.find(source)
        match handle:
            case ProbeHandle(base=model) | ContrastHandle(plus=model) | BestHandle(writer=model):
                pass
            case JointHandle(members=(model, *_)):
                pass
            case _:
                model = self.model(source)
        whole = model.train is not None and model.train.lora is None
        return model.origin if whole and model.origin is not None else model.ref

    def load(self, handle: ModelHandle, seed: int = 0) -> Loaded:
        """The model in memory."""
        from outgrow.models.loading import load_on_all

        threads(self.recipe.threads)  # torch is there by now
        return load_on_all(handle.ref, self.classes_of(handle.ref), weights=handle.folder, seed=seed)

    def classes_of(self, ref: ModelRef) -> tuple[str, ...] | None:
        """What the head of a model scores: the task's classes, a reward, or nothing fixed (head `lm`).

        Raises:
            ConfigError: the task has no fixed classes.
        """
        if ref.head != "classifier":
            return REWARD if ref.head == "reward" else None
        if self.task.classes is None:
            raise ConfigError(
                f"task '{self.task.name}' has no fixed classes, so head 'classifier' cannot answer it; use 'lm'"
            )
        return self.task.classes

    @cached_property
    def device(self) -> str:
        """Kind of device that steps run on; part of their keys."""
        return "cuda" if has_cuda() else "cpu"

    def deciding(self, ref: ModelRef, task: Task) -> dict[str, Any]:
        """What decides the numbers of a step with a model here, besides its inputs."""
        return {
            "model": settings_of(ref),
            "task": task.fingerprint(),
            "threads": self.recipe.threads,
            "device": self.device,
            "engine": "transformers",
        }

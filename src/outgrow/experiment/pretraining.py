"""The step in which a base model goes on reading: language modelling on the texts of questions, without labels."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property, partial

from outgrow.core.errors import ConfigError, DataError
from outgrow.core.hashing import sha256_text
from outgrow.core.lab import Student
from outgrow.experiment.answering import Report
from outgrow.experiment.sources import ModelHandle, Sources, model_folder
from outgrow.experiment.steps import Size, StepRequest
from outgrow.models.config import ModelRef
from outgrow.objectives import imitation
from outgrow.store import Artefact, Step, Work
from outgrow.tasks.base import Task
from outgrow.training.config import TrainConfig
from outgrow.training.rows import TrainRow

PRETRAIN_VERSION = 1


@dataclass(frozen=True, eq=False)
class Pretrain(StepRequest[Student]):
    """A base model after reading texts; under the head it had, it can be trained on labels like the one it began as.

    Attributes:
        sources: loads models, and gets to know the result.
        start: a base model.
        task: part of the key.
        texts: what it reads; the first word of each is given.
        config: settings of the training, an adapter aside: all weights are trained.
        seed: of the order of the texts.
        steps: optimiser steps.
        name: of the result.
        report: hears of progress.
    """

    sources: Sources
    start: ModelHandle
    task: Task
    texts: tuple[str, ...]
    config: TrainConfig
    seed: int
    steps: int
    name: str
    report: Report

    def __post_init__(self) -> None:
        """Refuse a model that was trained already."""
        if self.start.weights is not None:
            raise ConfigError(f"'{self.start.source.name}' was trained already; only base models go on reading texts")

    @property
    def what(self) -> str:
        """What reads."""
        return f"{self.name} reads texts"

    @cached_property
    def step(self) -> Step:
        """What identifies the result."""
        config = {
            **self.sources.deciding(self._reader, self.task), "train": self._plain.model_dump(mode="json"),
            "seed": self.seed, "steps": self.steps,
        }  # fmt: skip
        inputs = {"model": self.start.source.key, "texts": sha256_text(list(self.texts))}
        return Step("pretrain", PRETRAIN_VERSION, config, inputs)

    @property
    def _reader(self) -> ModelRef:
        return self.start.ref.model_copy(update={"head": "lm", "head_start": "random"})

    @property
    def _plain(self) -> TrainConfig:
        return self.config.model_copy(update={"lora": None})

    @cached_property
    def rows(self) -> list[TrainRow]:
        """The texts that have at least two words."""
        parts = [text.strip().partition(" ") for text in self.texts]
        return [TrainRow(f"text {i}", first, rest) for i, (first, _, rest) in enumerate(parts) if rest.strip()]

    def make(self, work: Work) -> None:
        """Read."""
        from outgrow.models.loading import save
        from outgrow.training.loop import fit

        try:
            loaded = self.sources.load(replace(self.start, ref=self._reader), self.seed)
        except DataError as error:
            raise ConfigError(
                f"{self.start.ref.model} cannot go on reading texts, which takes a causal language model: {error}"
            ) from error
        tell = work.telling(partial(self.report, self.what))
        fitted = fit(
            loaded, self.rows, imitation, self._plain, seed=self.seed, total_steps=self.steps,
            work=work.dir / "checkpoints", progress=lambda done, total, loss: tell(done, total),
        )  # fmt: skip
        save(loaded, work.out / "model")
        work.save_json({"history": [{"step": h["step"], "loss": h["loss"]} for h in fitted.history]}, "fit.json")

    def read(self, artefact: Artefact) -> Student:
        """The model, which can be trained from now on."""
        return self._student(str(model_folder(artefact)))

    def sketch(self) -> Student:
        """A model that read nothing."""
        return self._student(self.start.ref.model)

    def _student(self, place: str) -> Student:
        student = Student(self.name, self.step.key, len(self.texts), len(self.texts), self.steps, self.steps)
        ref = self.start.ref.model_copy(update={"model": place, "revision": None})
        self.sources.know(ModelHandle(student, ref, origin=self.start.ref))
        return student

    @property
    def drawn(self) -> bool:
        """The order of texts follows the seed."""
        return True

    def size(self) -> Size:
        """Texts and steps."""
        return Size(rows=len(self.texts), steps=self.steps)

    @property
    def model(self) -> ModelRef | None:
        """The base model."""
        return self.start.ref

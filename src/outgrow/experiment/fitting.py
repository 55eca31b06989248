"""The step in which a model is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.hashing import sha256_text
from outgrow.core.lab import Student
from outgrow.core.registry import code_identity
from outgrow.experiment.answering import Report
from outgrow.experiment.sources import ModelHandle, Sources, content_hash
from outgrow.experiment.steps import Counts, Size, StepRequest
from outgrow.experiment.work import PlannedWork
from outgrow.models.config import ModelRef
from outgrow.store import Artefact, Step, Work
from outgrow.tasks.base import Task
from outgrow.tasks.equivalence import same_as
from outgrow.training.config import TrainConfig
from outgrow.training.render import render_rows
from outgrow.training.rows import TrainRow
from outgrow.training.trackers import Tracking

if TYPE_CHECKING:
    from outgrow.models.loaded import Loaded

TRAIN_VERSION = 4
Part = Literal["all", "head"]
IMITATION = {"name": "Imitation", "settings": "Imitation(name='imitation')"}
"""What stands in the key of a training with the objective `Imitation()`."""


def identity_of(objective: Any) -> dict[str, Any]:
    """What stands in the key of a training with it: name, settings, version from 2 on, and whose it is if not ours."""
    identity = {"name": type(objective).__name__, "settings": repr(objective), **code_identity(objective)}
    version = getattr(objective, "version", 1)
    return {**identity, "version": version} if version > 1 else identity


@dataclass(frozen=True, eq=False)
class Train(StepRequest[Student]):
    """A model fine-tuned on rows.

    Attributes:
        sources: loads models, and gets to know the result.
        start: the model to begin with.
        task: words the rows.
        examples: the questions the rows are about.
        rows: training rows (`core.tables.ROWS`), weights settled.
        removed: rows of weight 0 that were left out.
        config: settings of the training.
        objective: the loss; None for imitation, which then needs no torch to be named.
        seed: of row order, dropout and new weights.
        steps: optimiser steps.
        name: what answers of the result are called.
        validation: example_id to the value the chosen checkpoint should agree with; None takes the last checkpoint.
        checks: the questions of `validation`.
        decoding: how checkpoints are asked.
        sealed: the rows hold gold.
        only: which weights are trained.
        report: hears of progress.
        tracking: shows the curves.
    """

    sources: Sources
    start: ModelHandle
    task: Task
    examples: pa.Table
    rows: pa.Table
    removed: int
    config: TrainConfig
    objective: Any
    seed: int
    steps: int
    name: str
    validation: Mapping[str, str] | None
    checks: pa.Table | None
    decoding: str
    sealed: bool
    only: Part
    report: Report
    tracking: Tracking

    @property
    def what(self) -> str:
        """What is trained."""
        return f"training {self.name}"

    @property
    def meta(self) -> dict[str, Any]:
        """With the seed, and whether gold is in it."""
        return {"detail": f"{self.name}, seed {self.seed}", "sealed": self.sealed}

    @cached_property
    def step(self) -> Step:
        """What identifies the result."""
        inputs = {"model": self.start.source.key, "rows": content_hash(self.rows)}
        if self.validation is not None:
            inputs["validation"] = sha256_text(sorted(self.validation.items()))
        return Step("train", TRAIN_VERSION, self._deciding, inputs)

    @cached_property
    def _deciding(self) -> dict[str, Any]:
        plain = {
            **self.sources.deciding(self.start.ref, self.task),
            "train": self.config.model_dump(mode="json"),
            "objective": IMITATION if self.objective is None else identity_of(self.objective),
            "seed": self.seed,
            "steps": self.steps,
            "sealed": self.sealed,  # in the key, so that no arm shares a result with one that saw gold
        }
        if self.validation is not None and self.decoding == "generate":
            plain["decoding"] = "generate"  # instead of scoring options, when a checkpoint is chosen
        if self.only != "all":
            plain["only"] = self.only
        return plain

    @cached_property
    def worded(self) -> list[TrainRow]:
        """The rows as prompts and targets."""
        return render_rows(self.task, self.rows, self.examples)

    def make(self, work: Work) -> None:
        """Train; a training that was stopped goes on from its last checkpoint."""
        from outgrow.models.loading import save
        from outgrow.objectives import Imitation
        from outgrow.training.loop import fit

        worded = self.worded
        loaded, tell = self.sources.load(self.start, self.seed), work.telling(partial(self.report, self.what))
        with self.tracking.run(f"{self.name}/{self.seed}", self._deciding) as tracker:
            fitted = fit(
                loaded,
                worded,
                Imitation() if self.objective is None else self.objective,
                self.config,
                seed=self.seed,
                total_steps=self.steps,
                work=work.dir / "checkpoints",
                evaluate=None if self.validation is None else self._agreement,
                progress=lambda done, total, loss: tell(done, total),
                tracker=tracker,
            )
        save(loaded, work.out / "model")
        work.save_table(self.rows, "rows.parquet")
        facts = {
            "history": [{"step": h["step"], "loss": h["loss"]} for h in fitted.history],
            "scores": fitted.scores,
            "chosen_step": fitted.chosen_step,
            "steps": self.steps,
            "rows": self.rows.num_rows,
            "removed_rows": self.removed,
            "questions": len(set(self.rows["example_id"].to_pylist())),
            "truncated_prompts": fitted.truncated_prompts,
            "boundary_mismatches": fitted.boundary_mismatches,
        }
        work.save_json(facts, "fit.json")

    def _agreement(self, loaded: Loaded) -> float:
        """Share of validation questions on which a model says what `validation` holds."""
        from outgrow.supervisors.local import answer

        assert self.validation is not None
        said = answer(loaded, self.task, self.checks, source="model", variants=1, seed=0, decoding=self.decoding)
        here = said.filter(pc.is_in(said["example_id"], pa.array(list(self.validation), pa.string())))
        columns = (here[name].to_pylist() for name in ("example_id", "value"))
        return float(np.mean(same_as(self.task, self.validation, *columns)))

    def read(self, artefact: Artefact) -> Student:
        """The trained model, which can be asked from now on."""
        facts = artefact.json("fit.json")
        return self._student(artefact, facts["rows"], facts["questions"], facts["chosen_step"])

    def sketch(self) -> Student:
        """A model that nobody trained."""
        return self._student(None, self.rows.num_rows, len(set(self.rows["example_id"].to_pylist())), self.steps)

    def _student(self, artefact: Artefact | None, rows: int, questions: int, chosen: int) -> Student:
        student = Student(self.name, self.step.key, rows, questions, self.steps, chosen)
        self.sources.adopt(student, self.start, self.config, artefact)
        return student

    @property
    def drawn(self) -> bool:
        """The order of rows follows the seed."""
        return True

    def size(self) -> Size:
        """Rows, steps, and the prompts of its checkpoints."""
        asked = self.checks.num_rows if self.checks is not None else 0
        return Size(self.config.checkpoints * asked, self.rows.num_rows, self.steps)

    def planned(self, counts: Counts) -> PlannedWork:
        """Passes of the training and of its checkpoints."""
        return counts.trained(self)

    @property
    def model(self) -> ModelRef | None:
        """The base model."""
        return self.start.ref

    @property
    def train(self) -> TrainConfig | None:
        """Settings of this training."""
        return self.config

"""The step in which a model is trained."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.hashing import sha256_text
from outgrow.core.lab import Student
from outgrow.experiment.answering import Report
from outgrow.experiment.sources import ModelHandle, Sources, content_hash
from outgrow.experiment.steps import Counts, Size, StepRequest
from outgrow.experiment.work import PlannedWork
from outgrow.models.config import ModelRef
from outgrow.objectives import identity
from outgrow.store import Artefact, Step, Work
from outgrow.supervisors.queries import Decoding
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
LEAST = 1e-300
"""Probabilities that came to 0 in double precision."""
SPENT = ("lr", "grad_norm", "tokens")
"""What a history holds besides the step, the loss and what the objective shows."""
CHECKPOINT_ANSWERS = "checkpoint_answers.parquet"
"""`example_id`, `value`, `logprob`, `probabilities`, `step`, `split` of every checkpoint; no gold."""


@dataclass(frozen=True)
class Nearness:
    """How far checkpoints may be from a reference (`core.lab.Near`).

    Attributes:
        limit: the most nats.
        reference: the model.
        answers: what it says of the questions of `Train.checks`.
    """

    limit: float
    reference: ModelHandle
    answers: pa.Table


@dataclass(frozen=True, eq=False)
class Train(StepRequest[Student]):
    """A model fine-tuned on rows.

    Attributes:
        sources: loads models, and gets to know the result.
        start: the model to begin with.
        task: words the rows.
        examples: the questions the rows are about.
        rows: training rows or pairs (`core.tables.ROWS`, `PAIRS`), weights settled.
        removed: rows of weight 0 that were left out.
        config: settings of the training.
        objective: the loss.
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
        kept: questions by split that every checkpoint answers, for a table without gold; None asks nothing more.
        near: how far the chosen checkpoint may be from a reference, instead of `validation`.
        once: it is the same for every seed of an experiment.
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
    decoding: Decoding
    sealed: bool
    only: Part
    report: Report
    tracking: Tracking
    kept: Mapping[str, pa.Table] | None = None
    near: Nearness | None = None
    once: bool = False
    _answers: list[pa.Table] = field(default_factory=list)

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
        inputs = {"model": self.start.source.key, "rows": self.rows_hash}
        if self.validation is not None:
            inputs["validation"] = sha256_text(sorted(self.validation.items()))
        if self.near is not None:
            inputs["near"] = self.near.reference.source.key
        return Step("train", TRAIN_VERSION, self._deciding, inputs)

    @cached_property
    def _deciding(self) -> dict[str, Any]:
        plain = {
            **self.sources.deciding(self.start.ref, self.task),
            "train": self.config.model_dump(mode="json"),
            "objective": identity(self.objective),
            "seed": self.seed,
            "steps": self.steps,
            "sealed": self.sealed,  # in the key, so that no arm shares a result with one that saw gold
        }
        if self.validation is not None and self.decoding == "generate":
            plain["decoding"] = "generate"  # instead of scoring options, when a checkpoint is chosen
        if self.near is not None:
            plain["near"] = {"kl": self.near.limit, "decoding": self.decoding}
        if self.only != "all":
            plain["only"] = self.only
        if self.kept is not None:
            plain["kept"] = "answers of every checkpoint"
        return plain

    @cached_property
    def rows_hash(self) -> str:
        """Of the rows."""
        return content_hash(self.rows)

    @property
    def of_options(self) -> bool:
        """Whether hard rows get options: where the objective or the head weighs them against each other."""
        head = self.start.ref.head
        return head == "reward" or (bool(getattr(self.objective, "of_options", False)) and head == "lm")

    @cached_property
    def worded(self) -> list[TrainRow]:
        """The rows as prompts and targets."""
        return render_rows(self.task, self.rows, self.examples, options=self.of_options)

    def make(self, work: Work) -> None:
        """Train; a training that was stopped goes on from its last checkpoint."""
        from outgrow.models.loading import save
        from outgrow.training.loop import fit

        worded = self.worded
        loaded, tell = self.sources.load(self.start, self.seed), work.telling(partial(self.report, self.what))
        with self.tracking.run(f"{self.name}/{self.seed}", self._deciding) as tracker:
            fitted = fit(
                loaded,
                worded,
                self.objective,
                self.config,
                seed=self.seed,
                total_steps=self.steps,
                work=work.dir / "checkpoints",
                evaluate=self._evaluate(),
                at_checkpoint=None if self.kept is None else partial(self._keep, work),
                only=self.only,
                progress=lambda done, total, loss: tell(done, total),
                tracker=tracker,
            )
        save(loaded, work.out / "model")
        if self.kept is not None:
            work.save_table(self._kept(work), CHECKPOINT_ANSWERS)
        work.save_table(self.rows, "rows.parquet")
        facts = {
            "history": [{name: h[name] for name in h if name not in SPENT} for h in fitted.history],
            "scores": [] if self.near is not None else fitted.scores,
            "chosen_step": fitted.chosen_step,
            "steps": self.steps,
            "rows": self.rows.num_rows,
            "removed_rows": self.removed,
            "questions": len(set(self.rows["example_id"].to_pylist())),
            "truncated_prompts": fitted.truncated_prompts,
            "boundary_mismatches": fitted.boundary_mismatches,
        }
        if self.near is not None:
            facts["kl"] = [(step, abs(score)) for step, score in fitted.scores]
        work.save_json(facts, "fit.json")

    def _keep(self, work: Work, step: int, loaded: Loaded) -> None:
        """Write down what a checkpoint answers to the questions of `kept`; what is there already is not asked again."""
        from outgrow.supervisors.local import answer

        assert self.kept is not None
        for split, questions in self.kept.items():
            said = answer(
                loaded, self.task, questions, source=self.name, variants=1, seed=0, decoding=self.decoding,
                journal=work.journal(f"checkpoint-{step}-{split}"),
            )  # fmt: skip
            said = self.task.canonicalise(said).select(["example_id", "value", "logprob", "probabilities"])
            count = said.num_rows
            self._answers.append(
                said.append_column("step", pa.array([step] * count, pa.int64())).append_column(
                    "split", pa.array([split] * count, pa.string())
                )
            )

    def _kept(self, work: Work) -> pa.Table:
        tables, self._answers[:] = list(self._answers), []
        return pa.concat_tables(tables)

    def _evaluate(self) -> Callable[[Loaded], float] | None:
        if self.near is not None:
            return self._within
        return None if self.validation is None else self._agreement

    def _within(self, loaded: Loaded) -> float:
        """The distance from the reference; what is beyond the limit counts less the further it is."""
        from outgrow.supervisors.local import answer, divergence

        assert self.near is not None
        ask = partial(
            answer, loaded, self.task, self.checks, source="model", variants=1, seed=0, decoding=self.decoding
        )
        said = ask()
        if said["probabilities"].null_count:
            drawn = ask(samples=2, temperature=1.0)
            kl = divergence(drawn.filter(pc.equal(drawn["sample"], 1)), self.sources.load(self.near.reference))
        else:
            kl = option_divergence(said, self.near.answers)
        return kl if kl <= self.near.limit else -kl

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
        return not self.once

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


def option_divergence(answers: pa.Table, reference: pa.Table) -> float:
    """Mean KL(answers | reference) in nats of the probabilities of options, over the same questions."""
    others = dict(zip(reference["example_id"].to_pylist(), reference["probabilities"].to_pylist(), strict=True))
    sums = []
    for example, shares in zip(answers["example_id"].to_pylist(), answers["probabilities"].to_pylist(), strict=True):
        other = dict(others[example])
        own = [(p, max(other[value], LEAST)) for value, p in shares if p > 0]
        sums.append(math.fsum(p * math.log(p / q) for p, q in own))
    return float(np.mean(sums))


def save_untrained(work: Work, rows: pa.Table) -> None:
    """What a training leaves of its rows and facts, for a source that takes its rows without an optimiser step."""
    work.save_table(rows, "rows.parquet")
    nothing = dict.fromkeys(("chosen_step", "steps", "removed_rows", "truncated_prompts", "boundary_mismatches"), 0)
    questions = len(set(rows["example_id"].to_pylist()))
    work.save_json({"history": [], "scores": [], "rows": rows.num_rows, "questions": questions, **nothing}, "fit.json")

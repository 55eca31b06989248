"""The steps that cost something, kept in the store: answering, training. Shared by all labs of an experiment."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from outgrow.errors import ConfigError, DataError, SealedError
from outgrow.lab import identity_answers
from outgrow.methods.rows import normalise_weights
from outgrow.recipe import Recipe
from outgrow.records import ANSWERS, Example, Source, Student, iter_examples, sha256_text
from outgrow.store import Artefact, Step, Store, Work
from outgrow.tasks.base import Task
from outgrow.training.config import ModelRef, TrainConfig
from outgrow.training.models import model_hash
from outgrow.training.rows import TrainRow
from outgrow.training.schedule import total_steps

if TYPE_CHECKING:
    from outgrow.training.loading import Loaded

ANSWER_VERSION = 1
TRAIN_VERSION = 2
Report = Callable[[str, int, int], None]


def silent(what: str, done: int, total: int) -> None:
    """The progress report that says nothing."""


@dataclass(frozen=True)
class Start:
    """A base model, or a model trained by an earlier step."""

    source: Source
    ref: ModelRef
    folder: Path | None = None  # of trained weights


def settings_of(ref: ModelRef) -> dict[str, Any]:
    """How a model's files are used: head, layers, pooling and the like."""
    return ref.model_dump(mode="json", exclude={"model", "revision", "trust_remote_code", "name", "train"})


def content_hash(table: pa.Table) -> str:
    """A hash of a table's rows, whatever its chunks and metadata."""
    return sha256_text(table.schema.names, table.to_pylist())


class Bench:
    """The task, the models and the store of one recipe.

    Args:
        recipe: what is run.
        store: where results are kept; opened so that sealed results can be read by the bench, never by a method.
        report: called with (what, done, total) during long steps.
    """

    def __init__(self, recipe: Recipe, store: Store, report: Report = silent) -> None:
        self.recipe = recipe
        self.store = store
        self.report = report
        self.task: Task = recipe.build_task()
        self._tables: dict[str, pa.Table] = {}
        self._starts: dict[str, Start] = {}

    def examples(self, split: str) -> pa.Table:
        """Examples of a split, meta included."""
        return self._table(f"examples/{split}", lambda: self.task.examples(split))

    def gold(self, split: str) -> pa.Table:
        """Gold of a split: for training supervisors, for declared oracles and for evaluation."""
        return self._table(f"gold/{split}", lambda: self.task.gold(split))

    def _table(self, name: str, make: Callable[[], pa.Table]) -> pa.Table:
        if name not in self._tables:
            self._tables[name] = make()
        return self._tables[name]

    @cached_property
    def device(self) -> str:
        """Kind of device that steps run on; part of their keys."""
        import torch

        return "cuda" if torch.cuda.is_available() else "cpu"

    def start(self, ref: ModelRef, name: str) -> Start:
        """A base model as it comes; one folder used with other layers, head or pooling is another model."""
        key, settings = model_hash(ref), settings_of(ref)
        if settings != settings_of(ModelRef(model=ref.model)):
            key = sha256_text(key, settings)
        start = Start(Source(name, key), ref)
        self._starts.setdefault(key, start)
        return start

    def adopt(self, student: Student, ref: ModelRef) -> None:
        """Know a student that another bench on the same store has trained."""
        self._starts[student.key] = Start(student, ref, model_folder(self.store.open(student.key)))

    def find(self, source: Source) -> Start:
        """What is known of a source handed out earlier.

        Raises:
            DataError: the source was not handed out by this bench.
        """
        if source.key not in self._starts:
            raise DataError(f"'{source.name}' is not a model of this lab; lab.models lists them")
        return self._starts[source.key]

    def load(self, start: Start, seed: int = 0) -> Loaded:
        """The model in memory."""
        from outgrow.training.loading import load

        return load(start.ref, self._classes(start.ref), weights=start.folder, seed=seed)

    def _classes(self, ref: ModelRef) -> tuple[str, ...] | None:
        if ref.head != "classifier":
            return None
        if self.task.classes is None:
            raise ConfigError(
                f"task '{self.task.name}' has no fixed classes, so head 'classifier' cannot answer it; use 'lm'"
            )
        return self.task.classes

    def _place(self, ref: ModelRef) -> dict[str, Any]:
        """What decides a step's numbers besides its inputs."""
        return {
            "model": settings_of(ref),
            "task": self.task.fingerprint(),
            "threads": self.recipe.threads,
            "device": self.device,
            "engine": "transformers",
        }

    # Answering ----------------------------------------------------------------------------------------------

    def answer(self, source: Source, split: str, *, seed: int, full: bool) -> pa.Table:
        """Answers of a source to a split: the recipe's wordings and samples, or the identity's first alone."""
        start, ask = self.find(source), self.recipe.ask
        examples = self.examples(split)
        variants = min(ask.variants, self.task.n_variants) if full else 1
        samples = ask.samples if full else 1
        deterministic = samples == 1 and ask.temperature == 0
        config = {
            **self._place(start.ref),
            "variants": variants,
            "samples": samples,
            "temperature": ask.temperature if full else 0.0,
            "decoding": ask.decoding,
            "seed": 0 if deterministic or not full else seed,
        }
        inputs = {"model": start.source.key, "questions": sha256_text(examples["example_id"].to_pylist())}
        step = Step("answer", ANSWER_VERSION, config, inputs)

        def make(work: Work) -> None:
            from outgrow.supervisors.local import answer

            table = answer(
                self.load(start),
                self.task,
                examples,
                source="model",
                variants=config["variants"],
                samples=config["samples"],
                temperature=config["temperature"],
                seed=config["seed"],
                decoding=config["decoding"],
                journal=work.journal("answers"),
                progress=lambda done, total: self.report(f"{source.name} answers {split}", done, total),
            )
            work.save_table(self.task.canonicalise(table))

        artefact = self.store.make(step, make, meta={"detail": f"{source.name} on {split}"})
        table = artefact.table()
        named = table.set_column(1, ANSWERS.field("source"), pa.array([source.name] * table.num_rows, pa.string()))
        return named

    # Training -----------------------------------------------------------------------------------------------

    def words(self, rows: pa.Table, examples: Mapping[str, Example]) -> list[TrainRow]:
        """Training rows in words: prompts of their variants, targets as those prompts want them said."""
        worded = []
        for row in rows.to_pylist():
            example = examples.get(row["example_id"])
            if example is None:
                raise DataError(
                    f"training row '{row['row_id']}' asks example '{row['example_id']}', which is not in the pool"
                )
            wording = self.task.wording(example, row["variant"])
            options = wording.options or self.task.classes
            if row["probabilities"] is not None:
                shares = dict(row["probabilities"])
                values = wording.values or options
                if options is None or values is None:
                    raise DataError(
                        f"training row '{row['row_id']}' has probabilities, but its question has no options"
                    )
                soft = tuple(float(shares.get(v, 0.0)) for v in values)
                total = sum(soft)
                if total <= 0:
                    raise DataError(f"training row '{row['row_id']}' gives no probability to any of {list(values)}")
                soft = tuple(p / total for p in soft)
                worded.append(TrainRow(row["row_id"], wording.prompt, None, options, soft, row["weight"]))
                continue
            value = row["target"]
            if row["source"] == "gold":
                value = self.task.solution(example, value)
            worded.append(TrainRow(row["row_id"], wording.prompt, wording.say(value), None, None, row["weight"]))
        return worded

    def train(
        self,
        start: Start,
        rows: pa.Table,
        *,
        name: str,
        split: str,
        config: TrainConfig,
        seed: int,
        steps: int,
        objective: Any = None,
        weights: str = "mean_one",
        validation: Mapping[str, str] | None = None,
        sealed: bool = False,
    ) -> Student:
        """`start` fine-tuned on `rows` about questions of `split`.

        Args:
            start: the model to begin with.
            rows: training rows (`records.ROWS`).
            name: what answers of the result are called.
            split: where the rows' questions are.
            config: settings of the training.
            seed: of row order, dropout and new weights.
            steps: optimiser steps, the same for every arm.
            objective: the loss; `Imitation` by default.
            weights: `mean_one` or `raw`.
            validation: example_id of `validation` to the value the chosen checkpoint should agree with; None takes
                the last checkpoint.
            sealed: the rows hold gold, so the result's rows are for the bench alone.

        Raises:
            DataError: a row's question is not in `split`, or it cannot be put into words.
            SealedError: rows of the source "gold" without `sealed`.
        """
        from outgrow.objectives import Imitation

        if not sealed and "gold" in rows["source"].to_pylist():
            raise SealedError(
                f"training rows of '{name}' have the source 'gold', which is kept for gold labels; "
                "declare the method uses_gold=True, or name the source of its labels otherwise"
            )
        loss = objective if objective is not None else Imitation()
        settled = normalise_weights(rows, "raw" if weights == "raw" else "mean_one")
        worded = self.words(settled.rows, {e.example_id: e for e in iter_examples(self.examples(split))})
        inputs = {"model": start.source.key, "rows": content_hash(settled.rows)}
        if validation is not None:
            inputs["validation"] = sha256_text(sorted(validation.items()))
        plain = {
            **self._place(start.ref),
            "train": config.model_dump(mode="json"),
            "objective": {"name": type(loss).__name__, "settings": repr(loss)},
            "seed": seed,
            "steps": steps,
            "sealed": sealed,  # in the key, so that no arm shares a result with one that saw gold
        }
        if validation is not None and self.recipe.ask.decoding == "generate":
            plain["decoding"] = "generate"  # instead of scoring options, when a checkpoint is chosen
        step = Step("train", TRAIN_VERSION, plain, inputs)

        def make(work: Work) -> None:
            from outgrow.training.loading import save
            from outgrow.training.loop import fit

            loaded = self.load(start, seed)
            evaluate = None if validation is None else lambda model: self._agreement(model, validation)
            found = fit(
                loaded,
                worded,
                loss,
                config,
                seed=seed,
                total_steps=steps,
                work=work.dir / "checkpoints",
                evaluate=evaluate,
                progress=lambda done, total, loss_now: self.report(f"training {name}", done, total),
            )
            save(loaded, work.out / "model")
            work.save_table(settled.rows, "rows.parquet")
            facts = {
                "history": [{"step": h["step"], "loss": h["loss"]} for h in found.history],
                "scores": found.scores,
                "chosen_step": found.chosen_step,
                "steps": steps,
                "rows": settled.rows.num_rows,
                "removed_rows": settled.removed,
                "questions": len(set(settled.rows["example_id"].to_pylist())),
                "truncated_prompts": found.truncated_prompts,
                "boundary_mismatches": found.boundary_mismatches,
            }
            work.save_json(facts, "fit.json")

        detail = f"{name}, seed {seed}"
        artefact = self.store.make(step, make, meta={"detail": detail, "sealed": sealed})
        facts = artefact.json("fit.json")
        student = Student(name, artefact.key, facts["rows"], facts["questions"], facts["steps"], facts["chosen_step"])
        self._starts[artefact.key] = Start(student, start.ref, model_folder(artefact))
        return student

    def _agreement(self, loaded: Loaded, validation: Mapping[str, str]) -> float:
        """Share of validation questions on which a model says what `validation` holds."""
        from outgrow.supervisors.local import answer

        said = answer(
            loaded, self.task, self.examples("validation"), source="model", variants=1, seed=0,
            decoding=self.recipe.ask.decoding,
        )  # fmt: skip
        said = self.task.canonicalise(said)
        pairs = zip(said["example_id"].to_pylist(), said["value"].to_pylist(), strict=True)
        return float(np.mean([validation[i] == v for i, v in pairs if i in validation]))

    def tune_supervisor(self, index: int, seed: int) -> Source:
        """Supervisor `index` of the recipe, tuned on gold of `supervisor_train` unless its `train` is null."""
        from outgrow.methods.rows import gold_rows

        recipe = self.recipe.supervisors[index]
        name = recipe.name or recipe.model.rsplit("/", 1)[-1]
        start = self.start(recipe, name)
        if recipe.train is None:
            return start.source
        rows = gold_rows(self.gold("supervisor_train"))
        return self.train(
            start, rows, name=name, split="supervisor_train", config=recipe.train, seed=seed,
            steps=total_steps(rows.num_rows, recipe.train), sealed=True,
        )  # fmt: skip

    def fit_facts(self, student: Student) -> dict[str, Any]:
        """What the training step of a student recorded."""
        return dict(self.store.open(student.key).json("fit.json"))

    def training_rows(self, student: Student) -> pa.Table:
        """The rows a student was trained on, weights settled."""
        return self.store.open(student.key).table("rows.parquet")


def model_folder(artefact: Artefact) -> Path:
    """The folder of trained weights in a training step's result."""
    return artefact.path("model/config.json" if "model/config.json" in artefact.files else next(
        f for f in artefact.files if f.startswith("model/")
    )).parent  # fmt: skip


def identity_values(answers: pa.Table) -> dict[str, str]:
    """Question to the valid answer to its identity wording."""
    first = identity_answers(answers)
    pairs = zip(first["example_id"].to_pylist(), first["value"].to_pylist(), strict=True)
    return {i: v for i, v in pairs if v is not None}


def gold_values(gold: pa.Table) -> dict[str, str]:
    """Question to its gold value."""
    return dict(zip(gold["example_id"].to_pylist(), gold["value"].to_pylist(), strict=True))

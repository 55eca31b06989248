"""The steps that cost something, kept in the store: answering, training. Shared by all labs of an experiment."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import ConfigError, DataError, SealedError
from outgrow.core.hashing import sha256_text
from outgrow.core.lab import Source, Student
from outgrow.core.tables import ANSWERS
from outgrow.experiment.handle import ModelHandle, content_hash, settings_of
from outgrow.experiment.lab import identity_answers
from outgrow.experiment.question_tables import Questions
from outgrow.methods.rows import gold_rows, normalise_weights
from outgrow.models.config import ModelRef
from outgrow.models.files import model_hash
from outgrow.models.machine import has_cuda, threads
from outgrow.recipe.recipe import Labelling
from outgrow.reliability import DecoyQuestions
from outgrow.store import Step, Store, Work
from outgrow.supervisors.asking import Asking, Elsewhere
from outgrow.supervisors.config import LocalSupervisor
from outgrow.supervisors.demonstrations import choose
from outgrow.supervisors.paraphrase import ParaphraseTask, usable
from outgrow.tasks.base import Task
from outgrow.tasks.equivalence import same_as
from outgrow.tasks.variants import varied
from outgrow.training.config import TrainConfig
from outgrow.training.render import render_rows
from outgrow.training.schedule import total_steps
from outgrow.training.trackers import Tracking

if TYPE_CHECKING:
    from outgrow.models.loaded import Loaded

ANSWER_VERSION = 3
ELSEWHERE_VERSION = 3
TRAIN_VERSION = 4
FULLY_ASKED = ("pool", "test", "known")
"""Splits that supervisors are asked in all wordings."""
SPARE_PARAPHRASES = 2
"""Paraphrases of each question beyond those needed, because some will not be usable."""
PARAPHRASE_TEMPERATURE = 1.0
USAGE = "usage.json"
Report = Callable[[str, int, int], None]


def silent(what: str, done: int, total: int) -> None:
    """The progress report that says nothing."""


class StepRunner:
    """The task, the models and the store of one recipe.

    Args:
        recipe: what is run.
        store: where results are kept; opened so that sealed results can be read by the runner, never by a method.
        report: called with (what, done, total) during long steps.
        questions: the recipe's questions, if they were made before.

    Attributes:
        usage: what servers have charged for the answers that were used, by the step's key: requests, tokens, cost,
            latency (`outgrow.supervisors.server`).
    """

    def __init__(
        self, recipe: Labelling, store: Store, report: Report = silent, questions: Questions | None = None
    ) -> None:
        self.recipe = recipe
        self.store = store
        self.report = report
        self._questions = questions or Questions(recipe.build_task())
        self.plain_task: Task = self._questions.task
        self.usage: dict[str, dict[str, Any]] = {}
        self.tracking = Tracking(recipe.tracking, Path(recipe.tracking_dir), recipe.name)
        self._starts: dict[str, ModelHandle | Elsewhere] = {}

    @cached_property
    def task(self) -> Task:
        """The recipe's task with the recipe's kinds of wordings; paraphrases are written now where they are needed."""
        return varied(self.plain_task, self.recipe.ask, self._paraphrases)

    def _paraphrases(self, count: int) -> dict[str, list[str]]:
        """Other ways to say the questions of every split that is asked in several wordings."""
        by = self.recipe.ask.paraphraser
        source = self.untuned(0) if by == "supervisor" else self._known(by)
        task, found = ParaphraseTask(self.plain_task), dict[str, list[str]]()
        asking = Asking(1, count + SPARE_PARAPHRASES, PARAPHRASE_TEMPERATURE, 0, "generate")
        for split in (name for name in FULLY_ASKED if name in self.plain_task.splits):
            what = f"{source.name} paraphrases {split}"
            answers = self._ask(self.find(source), task, self.plain_task.examples(split), asking, what)
            found |= usable(answers.select(["example_id", "sample", "value"]).to_pylist())
        return found

    def examples(self, split: str) -> pa.Table:
        """Examples of a split, meta included."""
        return self._questions.table("examples", split)

    def gold(self, split: str) -> pa.Table:
        """Gold of a split: for training supervisors, for declared oracles and for evaluation."""
        return self._questions.table("gold", split)

    @cached_property
    def device(self) -> str:
        """Kind of device that steps run on; part of their keys."""
        return "cuda" if has_cuda() else "cpu"

    def start(self, ref: ModelRef, name: str) -> ModelHandle:
        """A base model as it comes; one folder used with other layers, head or pooling is another model."""
        key, settings = model_hash(ref), settings_of(ref)
        if settings != settings_of(ModelRef(model=ref.model)):
            key = sha256_text(key, settings)
        start = ModelHandle(Source(name, key), ref)
        self._starts.setdefault(key, start)
        return start

    def adopt(self, student: Student, ref: ModelRef) -> None:
        """Know a student that another runner on the same store has trained."""
        self._starts[student.key] = ModelHandle(student, ref, self.store.open(student.key))

    def find(self, source: Source) -> ModelHandle | Elsewhere:
        """What is known of a source handed out earlier.

        Raises:
            DataError: the source was not handed out by this runner.
        """
        if source.key not in self._starts:
            raise DataError(f"'{source.name}' is not a model of this lab; lab.models lists them")
        return self._starts[source.key]

    def model_of(self, source: Source) -> ModelHandle:
        """The model of a source, to be trained or copied.

        Raises:
            ConfigError: it answers from elsewhere, so there are no weights here.
            DataError: as `find`.
        """
        found = self.find(source)
        if not isinstance(found, ModelHandle):
            raise ConfigError(f"'{source.name}' is a {found.kind}, not a model on this machine: it can only be asked")
        return found

    def untuned(self, index: int) -> Source:
        """Supervisor `index` of the recipe as it comes."""
        return self._known(self.recipe.supervisors[index])

    def _known(self, supervisor: Any) -> Source:
        if isinstance(supervisor, LocalSupervisor):
            return self.start(supervisor, supervisor.name).source
        found = Elsewhere.of(supervisor, Path(self.recipe.data_dir))
        self._starts.setdefault(found.source.key, found)
        return found.source

    def load(self, start: ModelHandle, seed: int = 0) -> Loaded:
        """The model in memory."""
        from outgrow.models.loading import load_on_all

        threads(self.recipe.threads)  # torch is there by now
        return load_on_all(start.ref, self.classes_of(start.ref), weights=start.folder, seed=seed)

    def classes_of(self, ref: ModelRef) -> tuple[str, ...] | None:
        """What a model with the head `classifier` chooses from; None for other heads."""
        if ref.head != "classifier":
            return None
        if self.plain_task.classes is None:
            raise ConfigError(
                f"task '{self.plain_task.name}' has no fixed classes, so head 'classifier' cannot answer it; use 'lm'"
            )
        return self.plain_task.classes

    def _place(self, ref: ModelRef, task: Task) -> dict[str, Any]:
        """What decides a step's numbers besides its inputs."""
        return {
            "model": settings_of(ref),
            "task": task.fingerprint(),
            "threads": self.recipe.threads,
            "device": self.device,
            "engine": "transformers",
        }

    # Answering ----------------------------------------------------------------------------------------------

    def answer(self, source: Source, split: str, *, seed: int, full: bool, shown: bool = False) -> pa.Table:
        """Answers of a source to a split: the recipe's wordings and samples, or the identity's first alone.

        Args:
            source: whom to ask.
            split: which questions.
            seed: of the draws.
            full: False for the identity wording's first sample, greedily.
            shown: show the recipe's demonstrations; supervisors see them, students do not.
        """
        asking = self._asking(source, seed, full=full, shown=shown)
        return self._named(source, self.task, self.examples(split), asking, f"{source.name} answers {split}")

    def answer_decoys(self, source: Source, decoys: DecoyQuestions, *, seed: int) -> pa.Table:
        """Answers of a supervisor to pool questions with an option exchanged, asked as the pool is."""
        asking = self._asking(source, seed, full=True, shown=True)
        return self._named(source, self.task, decoys.examples, asking, f"{source.name} answers decoys")

    def _asking(self, source: Source, seed: int, *, full: bool, shown: bool) -> Asking:
        ask = self.recipe.ask
        variants = min(ask.variants, self.task.n_variants) if full else 1
        asking = Asking(variants, ask.samples if full else 1, ask.temperature if full else 0.0, seed, ask.decoding)
        if self.find(source).kind == "file":
            asking = replace(asking, first_only=not full)
        elif ask.demonstrations and shown:
            asking = asking.shown(choose(self.plain_task, ask.demonstrations, seed))
        return asking

    def _named(self, source: Source, task: Task, examples: pa.Table, asking: Asking, what: str) -> pa.Table:
        table = self._ask(self.find(source), task, examples, asking, what)
        return table.set_column(1, ANSWERS.field("source"), pa.array([source.name] * table.num_rows, pa.string()))

    def _ask(
        self, found: ModelHandle | Elsewhere, task: Task, examples: pa.Table, asking: Asking, what: str
    ) -> pa.Table:
        inputs = {"model": found.source.key, "questions": sha256_text(examples["example_id"].to_pylist())}
        if isinstance(found, ModelHandle):
            version, place = ANSWER_VERSION, self._place(found.ref, task)
        else:
            version, place = ELSEWHERE_VERSION, {"task": task.fingerprint(), "engine": found.kind}
        step = Step("answer", version, {**place, **asking.decisive()}, inputs)

        def make(work: Work) -> None:
            journal = work.journal("answers")
            progress = work.telling(partial(self.report, what))
            if isinstance(found, ModelHandle):
                from outgrow.supervisors.local import answer

                settings = asking.settings()
                table = answer(
                    self.load(found), task, examples, source="model", **settings, journal=journal, progress=progress
                )
            else:
                table = found.answer(task, examples, asking, journal=journal, progress=progress)
                work.save_json(json.loads((table.schema.metadata or {}).get(b"usage", b"{}")), USAGE)
            work.save_table(task.canonicalise(table))

        artefact = self.store.make(step, make, meta={"detail": what})
        if USAGE in artefact.files and (used := artefact.json(USAGE)):
            self.usage[artefact.key] = {"about": what, **used}
        return artefact.table()

    # Training -----------------------------------------------------------------------------------------------

    def train(
        self,
        start: ModelHandle,
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
            sealed: the rows hold gold, so the result's rows are for the runner alone.

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
        inputs = {"model": start.source.key, "rows": content_hash(settled.rows)}
        if validation is not None:
            inputs["validation"] = sha256_text(sorted(validation.items()))
        plain = {
            **self._place(start.ref, self.task),
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
            from outgrow.models.loading import save
            from outgrow.training.loop import fit

            worded = render_rows(self.task, settled.rows, self.examples(split))
            loaded, told = self.load(start, seed), work.telling(partial(self.report, f"training {name}"))
            evaluate = None if validation is None else lambda model: self._agreement(model, validation)
            with self.tracking.run(f"{name}/{seed}", plain) as tracker:
                found = fit(
                    loaded,
                    worded,
                    loss,
                    config,
                    seed=seed,
                    total_steps=steps,
                    work=work.dir / "checkpoints",
                    evaluate=evaluate,
                    progress=lambda done, total, loss_now: told(done, total),
                    tracker=tracker,
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
        self._starts[artefact.key] = ModelHandle(student, start.ref, artefact)
        return student

    def _agreement(self, loaded: Loaded, validation: Mapping[str, str]) -> float:
        """Share of validation questions on which a model says what `validation` holds."""
        from outgrow.supervisors.local import answer

        said = answer(
            loaded, self.task, self.examples("validation"), source="model", variants=1, seed=0,
            decoding=self.recipe.ask.decoding,
        )  # fmt: skip
        here = said.filter(pc.is_in(said["example_id"], pa.array(list(validation), pa.string())))
        return float(np.mean(same_as(self.task, validation, *(here[n].to_pylist() for n in ("example_id", "value")))))

    def tune_supervisor(self, index: int, seed: int) -> Source:
        """Supervisor `index` of the recipe, tuned on gold of `supervisor_train` unless it is taken as it is."""
        supervisor = self.recipe.supervisors[index]
        source = self.untuned(index)
        if isinstance(supervisor, LocalSupervisor) and supervisor.train is not None:
            rows = gold_rows(self.gold("supervisor_train"))
            if not rows.num_rows:
                raise ConfigError(
                    f"supervisor '{supervisor.name}' is tuned on the split supervisor_train, which has no questions; "
                    "give it some (task.splits), or take the supervisor as it is (train: null)"
                )
            source = self.train(
                self.model_of(source), rows, name=supervisor.name, split="supervisor_train", config=supervisor.train,
                seed=seed, steps=total_steps(rows.num_rows, supervisor.train), sealed=True,
            )  # fmt: skip
        return source

    def fit_facts(self, student: Student) -> dict[str, Any]:
        """What the training step of a student recorded."""
        return dict(self.store.open(student.key).json("fit.json"))

    def training_rows(self, student: Student) -> pa.Table:
        """The rows a student was trained on, weights settled."""
        return self.store.open(student.key).table("rows.parquet")


def identity_values(answers: pa.Table) -> dict[str, str]:
    """Question to the valid answer to its identity wording."""
    first = identity_answers(answers)
    pairs = zip(first["example_id"].to_pylist(), first["value"].to_pylist(), strict=True)
    return {i: v for i, v in pairs if v is not None}


def gold_values(gold: pa.Table) -> dict[str, str]:
    """Question to its gold value."""
    return dict(zip(gold["example_id"].to_pylist(), gold["value"].to_pylist(), strict=True))

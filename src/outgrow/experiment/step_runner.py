"""What a recipe's jobs ask for: answers, trainings, readings, each a step that `Steps` makes, counts or looks up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import ConfigError
from outgrow.core.gold import choose_objective
from outgrow.core.lab import How, Near, Probe, Source, Student
from outgrow.core.tables import iter_examples, with_column
from outgrow.experiment.answering import Answer, Report, silent
from outgrow.experiment.composed_answers import composed_answer
from outgrow.experiment.composing import read_composed
from outgrow.experiment.fitting import CHECKPOINT_ANSWERS, Nearness, Part, Train
from outgrow.experiment.lab import check_sealed
from outgrow.experiment.opaque import OpaqueIds
from outgrow.experiment.pretraining import Pretrain
from outgrow.experiment.probing import FitProbe, ProbeAnswer, probe_of
from outgrow.experiment.prompting import Prompt
from outgrow.experiment.question_tables import Questions
from outgrow.experiment.readings import HiddenStates, Reference
from outgrow.experiment.sources import (
    TURNS,
    Composed,
    ModelHandle,
    ProbeHandle,
    Sources,
)
from outgrow.experiment.steps import Lookup, Maker, StepRequest, Steps
from outgrow.experiment.tokens import TokensOf
from outgrow.experiment.tuning import tuning_rows
from outgrow.methods.rows import normalise_weights
from outgrow.models.config import ModelRef, with_option
from outgrow.objectives import Imitation
from outgrow.recipe.recipe import Labelling, Recipe
from outgrow.reliability import DecoyQuestions, with_decoys
from outgrow.reliability.contrast import AnyStates
from outgrow.reliability.hashing import hash_order
from outgrow.store import Store
from outgrow.supervisors.asking import Asking, Elsewhere
from outgrow.supervisors.config import LocalSupervisor
from outgrow.supervisors.demonstrations import choose
from outgrow.supervisors.paraphrase import ParaphraseTask, usable
from outgrow.tasks.base import Task
from outgrow.tasks.variants import paraphrases_wanted, varied
from outgrow.training.config import TrainConfig
from outgrow.training.schedule import total_steps
from outgrow.training.trackers import Tracking

FULLY_ASKED = ("pool", "test", "known")
"""Splits that supervisors are asked in all wordings."""
SPARE_PARAPHRASES = 2
"""Paraphrases of each question beyond those needed, because some will not be usable."""
PARAPHRASE_TEMPERATURE = 1.0


class StepRunner:
    """The task and the models of one recipe, and the steps that its jobs ask for.

    Args:
        recipe: what is run.
        steps: makes, counts or looks up; a store that is opened unsealed stands for one that makes.
        report: called with (what, done, total) during long steps.
        questions: the recipe's questions, if they were made before.

    Attributes:
        usage: what servers have charged for the answers that were used, by the step's key: requests, tokens, cost,
            latency (`outgrow.supervisors.server`).
        questions: the plain task and the tables of its splits, gold included.
        task: the recipe's task; with paraphrases among its wordings once `reword` has asked for them.
    """

    def __init__(
        self, recipe: Labelling, steps: Steps | Store, report: Report = silent, questions: Questions | None = None
    ) -> None:
        self.recipe = recipe
        self.steps: Steps = Maker(steps) if isinstance(steps, Store) else steps
        self.report = report
        self.questions = questions or Questions(recipe.build_task())
        self.plain_task: Task = self.questions.task
        self.usage: dict[str, dict[str, Any]] = {}
        self.tracking = Tracking(recipe.tracking, Path(recipe.tracking_dir), recipe.name)
        self.sources = Sources(recipe, self.plain_task, self.steps)
        self._task: Task | None = None

    @property
    def task(self) -> Task:
        """The task with the recipe's kinds of wordings."""
        if self._task is None:
            if paraphrases_wanted(self.plain_task, self.recipe.ask):
                raise ConfigError("the task's paraphrases have not been asked for yet; call reword() first")
            self._task = varied(self.plain_task, self.recipe.ask, {})
        return self._task

    def reword(self) -> None:
        """Ask for the paraphrases that the recipe's wordings need, if any."""
        wanted = paraphrases_wanted(self.plain_task, self.recipe.ask)
        if not wanted or self._task is not None:
            return
        by = self.recipe.ask.paraphraser
        source = self.sources.supervisor(self.recipe.supervisors[0] if by == "supervisor" else by)
        task, texts = ParaphraseTask(self.plain_task), dict[str, list[str]]()
        asking = Asking(1, wanted + SPARE_PARAPHRASES, PARAPHRASE_TEMPERATURE, 0, "generate")
        for split in (name for name in FULLY_ASKED if name in self.plain_task.splits):
            answers = self._ask(source, task, self.examples(split), asking, split)
            texts |= usable(answers.select(["example_id", "sample", "value"]).to_pylist())
        self._task = varied(self.plain_task, self.recipe.ask, texts)

    def examples(self, split: str) -> pa.Table:
        """Examples of a split, meta included."""
        return self.questions.table("examples", split)

    def public(self, split: str) -> pa.Table:
        """Examples of a split as methods see them, with public meta alone."""
        return self.questions.public(split)

    def split_of(self, splits: tuple[str, ...]) -> dict[str, str]:
        """Question to the first of these splits that has it."""
        return self.questions.split_of(splits)

    def opaque(self, splits: tuple[str, ...]) -> OpaqueIds:
        """The ids of these splits as methods see them."""
        return self.questions.opaque(splits)

    def with_options(self, split: str) -> pa.Array:
        """Ids of the questions of a split that are answered by choosing an option."""
        return self.questions.with_options(split)

    def gold(self, split: str, objective: str | None = None) -> pa.Table:
        """Gold of a split, of the recipe's objective or another: for supervisors, declared oracles and evaluation.

        Raises:
            ConfigError: it has several objectives, and the recipe names none of them.
        """
        return choose_objective(self.questions.table("gold", split), objective or self.recipe.objective)

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
        return self._named(source, self.examples(split), asking, split)

    def answer_some(
        self, source: Source, examples: pa.Table, how: How, *, seed: int, shown: bool = False, split: str = "questions",
        task: Task | None = None, tokens: bool = False,
    ) -> pa.Table:  # fmt: skip
        """Answers (or their `tokens`) of a source to any questions (of another `task`), as `how` or the recipe says."""
        asking = self._asking(source, seed, full=True, shown=shown).put(how, self.task)
        if tokens:
            return _under(source, self.steps.do(TokensOf(self._request(source, self.task, examples, asking, split))))
        return self._named(source, examples, asking, split, task)

    @cached_property
    def decoys(self) -> DecoyQuestions | None:
        """The recipe's decoy questions, the same for all seeds; None where it wants none, or a file would be asked.

        Raises:
            PrerequisiteError: no question shares its options with others.
        """
        wanted = getattr(self.recipe, "reliability", None)
        if wanted is None or not wanted.decoys or any(s.kind == "file" for s in self.recipe.supervisors):
            return None
        pool = self.examples("pool")
        chosen = hash_order(["decoys"], pool["example_id"].to_pylist())[: wanted.decoys]
        return with_decoys(pool.take(sorted(chosen.tolist())))

    def answer_decoys(self, source: Source, *, seed: int) -> pa.Table:
        """Answers of a supervisor to pool questions with an option exchanged, asked as the pool is."""
        assert self.decoys is not None
        asking = self._asking(source, seed, full=True, shown=True)
        return self._named(source, self.decoys.examples, asking, "decoys")

    def _asking(self, source: Source, seed: int, *, full: bool, shown: bool) -> Asking:
        ask = self.recipe.ask
        variants = min(ask.variants, self.task.n_variants) if full else 1
        asking = Asking(variants, ask.samples if full else 1, ask.temperature if full else 0.0, seed, ask.decoding)
        if self.sources.find(source).kind == "file":
            asking = replace(asking, first_only=not full)
        elif ask.demonstrations and shown:
            asking = asking.shown(choose(self.plain_task, self.gold("supervisor_train"), ask.demonstrations, seed))
        return asking

    def _named(self, source: Source, examples: pa.Table, asking: Asking, split: str, task: Any = None) -> pa.Table:
        table, handle = self._ask(source, task or self.task, examples, asking, split), self.sources.find(source)
        if isinstance(handle, Elsewhere) and handle.apart:
            return table
        return _under(source, table)

    def _ask(self, source: Source, task: Task, examples: pa.Table, asking: Asking, split: str) -> pa.Table:
        return self.steps.do(self._request(source, task, examples, asking, split))

    def _request(
        self, source: Source, task: Task, examples: pa.Table, asking: Asking, split: str
    ) -> StepRequest[pa.Table]:
        """The step in which a source answers."""
        handle = self.sources.find(source)
        if isinstance(handle, ProbeHandle):
            states = self.states(handle.base, examples, handle.probe, task)
            return ProbeAnswer(self.sources, handle, task, examples, asking, split, states)
        if isinstance(handle, Composed):
            return composed_answer(
                self.sources, handle, task, examples, asking, split, self.report,
                ask=lambda model, how: self._request(model, task, examples, how, split), do=self.steps.do,
            )  # fmt: skip
        if isinstance(handle, ModelHandle):
            asking = asking.shown(handle.turns) if handle.turns else asking
            handle = replace(handle, source=Source(source.name, source.key))
        return Answer(self.sources, handle, task, examples, asking, split, self.report, self.usage)

    def states(self, handle: ModelHandle, examples: pa.Table, probe: Probe, task: Task | None = None) -> AnyStates:
        """Hidden states (questions, width) of the questions' identity wordings, as a probe reads them.

        Those of options are (questions, options, width).
        """
        task, layers = task or self.task, (probe.layer,)
        step = HiddenStates(self.sources, handle, task, examples, layers, probe.pool, probe.of_options)
        found: AnyStates = self.steps.do(step)[..., 0, :]
        return found

    # Training -----------------------------------------------------------------------------------------------

    def train(
        self,
        start: ModelHandle,
        rows: pa.Table,
        *,
        name: str,
        examples: pa.Table,
        config: TrainConfig,
        seed: int,
        steps: int,
        objective: Any = None,
        weights: str = "mean_one",
        validation: Mapping[str, str] | None = None,
        sealed: bool = False,
        only: Part = "all",
        kept: Mapping[str, pa.Table] | None = None,
        reference: ModelHandle | None = None,
        near: Near | None = None,
        once: bool = False,
    ) -> Student:
        """`start` fine-tuned on `rows` about `examples`.

        Args:
            start: the model to begin with.
            rows: training rows or pairs (`core.tables.ROWS`, `PAIRS`).
            name: what answers of the result are called.
            examples: the rows' questions, and perhaps others.
            config: settings of the training.
            seed: of row order, dropout and new weights.
            steps: optimiser steps, the same for every arm.
            objective: the loss; `Imitation` by default.
            weights: `mean_one` or `raw`.
            validation: example_id of `validation` to the value the chosen checkpoint should agree with; None takes
                the last checkpoint.
            sealed: the rows hold gold, so the result's rows are for the runner alone.
            only: `all` weights, or those of a classifier's `head`.
            kept: questions by split that every checkpoint answers (`fitting.CHECKPOINT_ANSWERS`).
            reference: a frozen model whose log-probabilities of the rows the objective sees (`Batch.fields`).
            near: how far from the reference, or else from `start`, the chosen checkpoint may be.
            once: this training is the same for every seed of the experiment.

        Raises:
            ConfigError: a reference, and rows that have a column of that name.
            DataError: a row's question is not among the examples, or it cannot be put into words.
            SealedError: rows of the source "gold" without `sealed`.
        """
        check_sealed(name, rows, sealed=sealed)
        settled = normalise_weights(rows, "raw" if weights == "raw" else "mean_one")
        nearness = None
        if near is not None:
            other = reference or start
            nearness = Nearness(near.kl, other, self.answer(other.source, "validation", seed=0, full=False))
        request = Train(
            self.sources, start, self.task, examples, settled.rows, settled.removed, config,
            objective if objective is not None else Imitation(), seed, steps, name, validation,
            None if validation is None and near is None else self.examples("validation"), self.recipe.ask.decoding,
            sealed, only, self.report, self.tracking, kept, nearness, once,
        )  # fmt: skip
        if reference is not None:
            if "reference" in rows.column_names:
                raise ConfigError("the rows have a column 'reference' of their own; leave it out, or reference=")
            scores = self.steps.do(Reference(reference, request))
            request = replace(request, rows=settled.rows.append_column("reference", scores))
        return self.steps.do(request)

    def pretrain(self, start: ModelHandle, examples: pa.Table, *, name: str, config: TrainConfig, seed: int) -> Student:
        """`start` after language modelling on the identity wordings of `examples`, each with each of its options."""
        texts = list[str]()
        for example in iter_examples(examples):
            wording = self.task.wording(example, 0)
            texts += [with_option(wording.prompt, option) for option in wording.options or ()] or [wording.prompt]
        steps = total_steps(len(texts), config)
        return self.steps.do(
            Pretrain(self.sources, start, self.task, tuple(texts), config, seed, steps, name, self.report)
        )

    def derive(
        self, start: ModelHandle, rows: pa.Table, probe: Probe, *, name: str, examples: pa.Table, sealed: bool = False
    ) -> Student:
        """A probe of the hidden states of `start`, fitted to `rows` about `examples`; see `train`.

        Raises:
            ConfigError: rows of other wordings than the identity.
            SealedError: as `train`.
        """
        check_sealed(name, rows, sealed=sealed)
        settled = normalise_weights(rows).rows
        if (wordings := set(rows["variant"].to_pylist())) != {0}:
            raise ConfigError(f"a probe reads identity wordings alone; '{name}' has rows of the wordings {wordings}")
        states, place = self.states(start, examples, probe), pc.index_in(settled["example_id"], examples["example_id"])
        here = states[place.to_numpy()]
        about = examples.take(place)
        return self.steps.do(FitProbe(self.sources, start, self.task, about, settled, here, probe, name, sealed))

    def prompt(
        self, start: ModelHandle, rows: pa.Table, *, name: str, examples: pa.Table, sealed: bool = False
    ) -> Student:
        """`start` as it is, with `rows` about `examples` as demonstrations before each question; see `train`.

        Raises:
            SealedError: as `train`.
        """
        check_sealed(name, rows, sealed=sealed)
        return self.steps.do(Prompt(self.sources, start, self.task, examples, rows, name, sealed))

    def tune_supervisor(self, index: int, seed: int) -> Source:
        """Supervisor `index` of the recipe, tuned on its gold of `supervisor_train` unless it is taken as it is."""
        supervisor = self.recipe.supervisors[index]
        source = self.sources.supervisor(supervisor)
        if isinstance(supervisor, LocalSupervisor) and supervisor.train is not None:
            examples = self.examples("supervisor_train")
            rows = tuning_rows(supervisor, examples, self.gold("supervisor_train"))
            source = self.train(
                self.sources.model(source), rows, name=supervisor.name, examples=examples, config=supervisor.train,
                seed=seed, steps=total_steps(rows.num_rows, supervisor.train), sealed=True,
            )  # fmt: skip
        return source

    def adopt(self, student: Student, ref: ModelRef) -> None:
        """Know a student that another runner on the same store has trained from `ref`."""
        assert isinstance(self.recipe, Recipe)
        assert isinstance(self.steps, Maker | Lookup)
        start, result = self.sources.base(ref, student.name), self.steps.store.open(student.key)
        if TURNS in result.files:
            self.sources.know(replace(start, source=student, shown=result))
            return
        if (composed := read_composed(self.sources, self.steps.store, student, result)) is not None:
            self.sources.know(composed)
            return
        if (read := probe_of(result)) is None:
            self.sources.adopt(student, start, self.recipe.train, result)
            return
        if (key := read.trained) is not None:
            start = replace(start, source=Source(student.name, key), weights=self.steps.store.open(key))
        self.sources.know(ProbeHandle(student, start, result, read.probe))

    def fit_facts(self, student: Student) -> dict[str, Any]:
        """What the training step of a student recorded."""
        return dict(self._weights(student).json("fit.json"))

    def training_rows(self, student: Student) -> pa.Table:
        """The rows a student was trained on, weights settled."""
        return self._weights(student).table("rows.parquet")

    def checkpoint_answers(self, student: Student) -> pa.Table | None:
        """What every checkpoint of a student answered; None where the recipe did not ask for it."""
        artefact = self._weights(student)
        return artefact.table(CHECKPOINT_ANSWERS) if CHECKPOINT_ANSWERS in artefact.files else None

    def _weights(self, student: Student) -> Any:
        handle = self.sources.find(student)
        assert isinstance(handle, ModelHandle | ProbeHandle | Composed)
        shown = handle.shown if isinstance(handle, ModelHandle) else None
        result = shown or handle.weights
        assert result is not None
        return result


def _under(source: Source, table: pa.Table) -> pa.Table:
    """Answers or tokens under the name of who gave them."""
    return with_column(table, "source", pa.array([source.name] * table.num_rows, pa.string()))

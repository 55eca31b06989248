"""The step in which somebody answers questions."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import pyarrow as pa

from outgrow.core.hashing import sha256_text
from outgrow.core.tables import with_column
from outgrow.experiment.sketch import made_up_answers
from outgrow.experiment.sources import ModelHandle, Sources
from outgrow.experiment.steps import Counts, Size, StepRequest
from outgrow.experiment.tokens import TOKEN_FILE
from outgrow.experiment.work import PlannedWork
from outgrow.models.config import ModelRef
from outgrow.store import Artefact, Step, Work
from outgrow.supervisors.asking import Asking, Elsewhere
from outgrow.tasks.base import Task
from outgrow.training.config import TrainConfig

ANSWER_VERSION = 6
ELSEWHERE_VERSION = 5
USAGE = "usage.json"
Report = Callable[[str, int, int], None]


class _Recent:
    """The answers read last, since every arm of a seed begins with its supervisor's; at most `room` bytes of them."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._tables: dict[Path, pa.Table] = {}

    def read(self, artefact: Artefact) -> pa.Table:
        """An artefact's table, from memory if it is there."""
        path = artefact.path("table.parquet")  # which looks whether the file is sound still
        table = self._tables.pop(path, None)
        self._tables[path] = table = artefact.table() if table is None else table
        while len(self._tables) > 1 and sum(each.nbytes for each in self._tables.values()) > self.room:
            del self._tables[next(iter(self._tables))]
        return table


_recent = _Recent(64 * 2**20)


def silent(what: str, done: int, total: int) -> None:
    """The progress report that says nothing."""


@dataclass(frozen=True, eq=False)
class Answer(StepRequest[pa.Table]):
    """Answers (`core.tables.ANSWERS`) of one source to some questions.

    Attributes:
        sources: loads models.
        handle: who is asked.
        task: words the questions and reads the answers.
        examples: the questions.
        asking: how they are put.
        split: what the questions are called.
        report: hears of progress.
        usage: takes what a server charged, by the step's key.
    """

    sources: Sources
    handle: ModelHandle | Elsewhere
    task: Task
    examples: pa.Table
    asking: Asking
    split: str
    report: Report
    usage: dict[str, dict[str, Any]]

    @property
    def what(self) -> str:
        """Who answers what."""
        verb = "paraphrases" if self.about.endswith("paraphrased") else "answers"
        return f"{self.handle.source.name} {verb} {self.split}"

    @cached_property
    def step(self) -> Step:
        """What identifies the answers."""
        inputs = {
            "model": self.handle.source.key,
            "questions": sha256_text(self.examples["example_id"].to_pylist()),
        }
        if isinstance(self.handle, ModelHandle):
            version, deciding = ANSWER_VERSION, self.sources.deciding(self.handle.ref, self.task)
        else:
            version, deciding = ELSEWHERE_VERSION, {"task": self.task.fingerprint(), "engine": self.handle.kind}
        return Step("answer", version, {**deciding, **self.asking.decisive()}, inputs)

    def make(self, work: Work) -> None:
        """Ask, each answer kept as it arrives."""
        journal, progress = work.journal("answers"), work.telling(partial(self.report, self.what))
        if isinstance(self.handle, ModelHandle):
            from outgrow.supervisors.local import answer

            table = answer(
                self.sources.load(self.handle), self.task, self.examples, source="model",
                **self.asking.settings(), keep_tokens=partial(work.save_table, file=TOKEN_FILE), journal=journal,
                progress=progress,
            )  # fmt: skip
        else:
            table = self.handle.answer(self.task, self.examples, self.asking, journal=journal, progress=progress)
            work.save_json(json.loads((table.schema.metadata or {}).get(b"usage", b"{}")), USAGE)
        work.save_table(self.task.canonicalise(table))

    def read(self, artefact: Artefact) -> pa.Table:
        """The answers; notes what they cost."""
        if USAGE in artefact.files and (used := artefact.json(USAGE)):
            self.usage[artefact.key] = {"about": self.what, **used}
        return _recent.read(artefact)

    def sketch(self) -> pa.Table:
        """Made-up answers in the number that a model gives."""
        asking, sketches = self.asking, self.sources.sketches
        seed = (asking.seed, self.sources.number(self.handle.source))
        key = id(self.task), self.step.inputs["questions"], asking.variants, asking.texts, seed
        if key not in sketches:
            sketches[key] = made_up_answers(self.task, self.examples, "model", asking.variants, asking.texts, seed)
        if isinstance(self.handle, Elsewhere) and self.handle.apart:  # nobody knows yet how many they are
            two = [pa.array([name] * sketches[key].num_rows, pa.string()) for name in ("annotator 1", "annotator 2")]
            return pa.concat_tables([with_column(sketches[key], "source", names) for names in two])
        return sketches[key]

    @property
    def drawn(self) -> bool:
        """Sampling and the choice of demonstrations follow the seed."""
        return self.asking.samples > 1 or self.asking.temperature > 0 or bool(self.asking.turns)

    def size(self) -> Size:
        """Prompts, each wording and sample counted."""
        return Size(prompts=self.examples.num_rows * self.asking.variants * self.asking.texts)

    def planned(self, counts: Counts) -> PlannedWork:
        """Passes and tokens."""
        return counts.asked(self)

    @property
    def about(self) -> str:
        """The split, and whether its questions are paraphrased."""
        return f"{self.split} paraphrased" if self.task.name.endswith(" paraphrased") else self.split

    @property
    def model(self) -> ModelRef | None:
        """The model here, if it is one."""
        return self.handle.ref if isinstance(self.handle, ModelHandle) else None

    @property
    def train(self) -> TrainConfig | None:
        """Of the training that made the model."""
        return self.handle.train if isinstance(self.handle, ModelHandle) else None

    @property
    def server(self) -> Any:
        """The server's settings, if it is one."""
        return self.handle.config if isinstance(self.handle, Elsewhere) and self.handle.kind == "server" else None

"""Sources that answer by what changed from one model to another, added to a third (`outgrow.models.contrast`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
import pyarrow as pa

from outgrow.core.errors import ConfigError
from outgrow.core.hashing import sha256_text
from outgrow.core.lab import Source, Student
from outgrow.core.tables import ROWS
from outgrow.experiment.answering import Report
from outgrow.experiment.fitting import LEAST, save_untrained
from outgrow.experiment.sketch import made_up_answers
from outgrow.experiment.sources import ContrastHandle, Sources, settings_of
from outgrow.experiment.steps import Size, StepRequest
from outgrow.models.config import ModelRef
from outgrow.store import Artefact, Step, Store, Work
from outgrow.supervisors.asking import Asking
from outgrow.supervisors.queries import Found, answers_table, pose, scored_answer
from outgrow.tasks.base import Task

CONTRAST_VERSION = 1
CONTRAST_ANSWER_VERSION = 1
FACTS = "contrast.json"


@dataclass(frozen=True, eq=False)
class MakeContrast(StepRequest[Student]):
    """A source made of three models; nothing is trained.

    Attributes:
        sources: gets to know the result.
        handle: the models; its `source` is not known yet.
        name: what answers of the result are called.
        sealed: one of the models has seen gold for this arm.
    """

    sources: Sources
    handle: ContrastHandle
    name: str
    sealed: bool

    @property
    def what(self) -> str:
        """What is made."""
        return f"contrast {self.name}"

    @property
    def meta(self) -> dict[str, Any]:
        """With whether gold is in it."""
        return {"detail": self.name, "sealed": self.sealed}

    @cached_property
    def step(self) -> Step:
        """What identifies the result."""
        config = {"alpha": self.handle.alpha, "sealed": self.sealed}
        return Step("contrast", CONTRAST_VERSION, config, self.handle.keys)

    def make(self, work: Work) -> None:
        """Write down what it is made of."""
        models = {
            name: {
                "name": each.source.name, "ref": each.ref.model_dump(mode="json"),
                "trained": None if each.weights is None else each.source.key,
            }
            for name, each in self.handle.models.items()
        }  # fmt: skip
        work.save_json({"alpha": self.handle.alpha, "models": models}, FACTS)
        save_untrained(work, ROWS.empty_table())

    def read(self, artefact: Artefact) -> Student:
        """The source, which can be asked from now on."""
        return self._student(artefact)

    def sketch(self) -> Student:
        """The same, not kept."""
        return self._student(None)

    def _student(self, artefact: Artefact | None) -> Student:
        student = Student(self.name, self.step.key)
        self.sources.know(replace(self.handle, source=student, weights=artefact))
        return student


def read_contrast(sources: Sources, store: Store, student: Student, artefact: Artefact) -> ContrastHandle:
    """A contrast that another runner on the same store has made."""
    facts = artefact.json(FACTS)
    models = {}
    for name, each in facts["models"].items():
        kept = {key: value for key, value in each["ref"].items() if key in ModelRef.model_fields}
        handle = sources.base(ModelRef(**kept), each["name"])
        if each["trained"] is not None:
            handle = replace(handle, source=Source(each["name"], each["trained"]), weights=store.open(each["trained"]))
            sources.know(handle)
        models[name] = handle
    return ContrastHandle(student, models["plus"], models["minus"], models.get("base"), facts["alpha"], artefact)


@dataclass(frozen=True, eq=False)
class ContrastAnswer(StepRequest[pa.Table]):
    """Answers (`core.tables.ANSWERS`) of a contrast.

    Options are scored as a whole: log-probability under the base, plus alpha times how much more probable `plus` finds
    them than `minus`. Texts are written token by token from the added scores.

    Attributes:
        sources: loads models.
        handle: the contrast.
        task: words the questions.
        examples: the questions.
        asking: how they are put.
        split: what the questions are called.
        parts: answers of the models to the same questions, one sample of each wording, where options are scored; None
            where texts are written.
        report: hears of progress.
    """

    sources: Sources
    handle: ContrastHandle
    task: Task
    examples: pa.Table
    asking: Asking
    split: str
    parts: Mapping[str, pa.Table] | None
    report: Report

    def __post_init__(self) -> None:
        """Refuse what it cannot be asked."""
        if self.parts is None and self.handle.base is None:
            raise ConfigError(
                f"'{self.handle.source.name}' compares options alone, and task '{self.task.name}' has questions "
                "without; give the contrast a base model, which writes"
            )

    @property
    def what(self) -> str:
        """Who answers what."""
        return f"{self.handle.source.name} answers {self.split}"

    @property
    def about(self) -> str:
        """The split."""
        return self.split

    @cached_property
    def step(self) -> Step:
        """What identifies the answers."""
        config = {
            **self.sources.deciding(self.handle.plus.ref, self.task), **self.asking.decisive(),
            "alpha": self.handle.alpha, "models": [settings_of(each.ref) for each in self.handle.models.values()],
        }  # fmt: skip
        questions = sha256_text(self.examples["example_id"].to_pylist())
        inputs = {**self.handle.keys, "questions": questions}
        return Step("contrast answer", CONTRAST_ANSWER_VERSION, config, inputs)

    def make(self, work: Work) -> None:
        """Score, or write."""
        if self.parts is not None:
            work.save_table(self.task.canonicalise(self._scored(self.parts)))
            return
        from outgrow.models.contrast import contrast
        from outgrow.supervisors.local import answer

        base, plus, minus = (self.sources.load(self.handle.models[name]) for name in ("base", "plus", "minus"))
        table = answer(
            contrast(base, plus, minus, self.handle.alpha), self.task, self.examples, source="model",
            **self.asking.settings(), journal=work.journal("answers"),
            progress=work.telling(partial(self.report, self.what)),
        )  # fmt: skip
        work.save_table(self.task.canonicalise(table))

    def _scored(self, parts: Mapping[str, pa.Table]) -> pa.Table:
        by = {
            name: {
                (row["example_id"], row["variant"]): dict(row["probabilities"])
                for row in table.select(["example_id", "variant", "probabilities"]).to_pylist()
            }
            for name, table in parts.items()
        }
        queries = pose(self.task, self.examples, self.asking.variants)
        found: list[list[Found]] = []
        for query in queries:
            options = query.options or self.task.classes or ()
            values = query.values or options
            own = {name: table[query.example.example_id, query.variant] for name, table in by.items()}
            logs = {name: np.log([max(shares[value], LEAST) for value in values]) for name, shares in own.items()}
            scores = self.handle.alpha * (logs["plus"] - logs["minus"]) + logs.get("base", 0.0)
            logprobs = scores - np.logaddexp.reduce(scores)
            found.append([scored_answer(int(scores.argmax()), options, values, logprobs, np.exp(logprobs))])
        return answers_table(queries, found, source="model", metadata={"decoding": "contrast"})

    def read(self, artefact: Artefact) -> pa.Table:
        """The answers."""
        return artefact.table()

    def sketch(self) -> pa.Table:
        """Made-up answers."""
        asking = self.asking
        return made_up_answers(self.task, self.examples, "model", asking.variants, asking.samples, asking.seed)

    def size(self) -> Size:
        """A prompt each where texts are written; scores cost nothing more than those of the models."""
        asked = self.examples.num_rows * self.asking.variants * self.asking.samples
        return Size(prompts=0 if self.parts is not None else asked)

    @property
    def model(self) -> ModelRef | None:
        """One of the models."""
        return self.handle.plus.ref

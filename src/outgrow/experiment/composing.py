"""Sources made of several models: the step that makes one, and what the answers of derived sources share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from outgrow.core.arrays import Float
from outgrow.core.hashing import sha256_text
from outgrow.core.lab import Source, Student
from outgrow.core.tables import ROWS
from outgrow.experiment.fitting import LEAST, save_untrained
from outgrow.experiment.sketch import made_up_answers
from outgrow.experiment.sources import BestHandle, Composed, ContrastHandle, JointHandle, Sources, settings_of
from outgrow.experiment.steps import StepRequest
from outgrow.models.config import ModelRef
from outgrow.store import Artefact, Step, Store, Work
from outgrow.supervisors.asking import Asking
from outgrow.supervisors.queries import Found, answers_table, pose, scored_answer
from outgrow.tasks.base import Task

COMPOSE_VERSION = 1
Scores = Float[np.ndarray, "options"]
FACTS = {"contrast": "contrast.json", "best_of": "best_of.json", "joint": "joint.json"}
"""What a source is made of, in the result of the step that made it, by its kind."""


@dataclass(frozen=True, eq=False)
class Compose(StepRequest[Student]):
    """A source made of several models; nothing is trained.

    Attributes:
        sources: gets to know the result.
        handle: the models; its `source` is not known yet.
        name: what answers of the result are called.
        sealed: one of the models has seen gold for this arm.
    """

    sources: Sources
    handle: Composed
    name: str
    sealed: bool

    @property
    def what(self) -> str:
        """What is made."""
        return f"{self.handle.kind} {self.name}"

    @property
    def meta(self) -> dict[str, Any]:
        """With whether gold is in it."""
        return {"detail": self.name, "sealed": self.sealed}

    @cached_property
    def step(self) -> Step:
        """What identifies the result."""
        config = {**self.handle.settings, "sealed": self.sealed}
        return Step(self.handle.kind, COMPOSE_VERSION, config, keys_of(self.handle))

    def make(self, work: Work) -> None:
        """Write down what it is made of."""
        models = {
            name: {
                "name": each.source.name, "ref": each.ref.model_dump(mode="json"),
                "trained": None if each.weights is None else each.source.key,
            }
            for name, each in self.handle.models.items()
        }  # fmt: skip
        work.save_json({**self.handle.settings, "models": models}, FACTS[self.handle.kind])
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


def keys_of(handle: Composed) -> dict[str, str]:
    """What identifies the models of a source."""
    return {name: each.source.key for name, each in handle.models.items()}


def read_composed(sources: Sources, store: Store, student: Student, artefact: Artefact) -> Composed | None:
    """The source in the result of a step that another runner on the same store has made; None where there is none."""
    kind = next((kind for kind, name in FACTS.items() if name in artefact.files), None)
    if kind is None:
        return None
    facts = artefact.json(FACTS[kind])
    models = {}
    for name, each in facts.pop("models").items():
        kept = {key: value for key, value in each["ref"].items() if key in ModelRef.model_fields}
        handle = sources.base(ModelRef(**kept), each["name"])
        if each["trained"] is not None:
            handle = replace(handle, source=Source(each["name"], each["trained"]), weights=store.open(each["trained"]))
            sources.know(handle)
        models[name] = handle
    if kind == "joint":
        members = tuple(models[str(number)] for number in range(len(models)))
        return JointHandle(student, members, tuple(facts["shares"]), facts.get("beams", 1), artefact)
    if kind == "best_of":
        return BestHandle(student, models["writer"], models["judge"], **facts, weights=artefact)
    return ContrastHandle(student, models["plus"], models["minus"], models.get("base"), **facts, weights=artefact)


@dataclass(frozen=True, eq=False)
class DerivedAnswer(StepRequest[pa.Table]):
    """Answers (`core.tables.ANSWERS`) of a source that is derived from models; subclasses say how they come about.

    Attributes:
        sources: loads models.
        handle: the source.
        task: words the questions.
        examples: the questions.
        asking: how they are put.
        split: what the questions are called.
    """

    sources: Sources
    handle: Any
    task: Task
    examples: pa.Table
    asking: Asking
    split: str

    @property
    def what(self) -> str:
        """Who answers what."""
        return f"{self.handle.source.name} answers {self.split}"

    @property
    def about(self) -> str:
        """The split."""
        return self.split

    @property
    def questions(self) -> str:
        """What identifies the questions."""
        return sha256_text(self.examples["example_id"].to_pylist())

    def composed(self, kind: str, version: int, ref: ModelRef) -> Step:
        """What identifies answers of several models, one of which is `ref`."""
        config = {
            **self.sources.deciding(ref, self.task), **self.asking.decisive(), **self.handle.settings,
            "models": [settings_of(each.ref) for each in self.handle.models.values()],
        }  # fmt: skip
        return Step(kind, version, config, {**keys_of(self.handle), "questions": self.questions})

    def scored(self, parts: Mapping[str, pa.Table], add: Callable[[Mapping[str, Scores]], Scores]) -> pa.Table:
        """Answers that choose an option by what `add` makes of the models' log-probabilities of each.

        Args:
            parts: answers of the models to the same questions, one sample of each wording, by name.
            add: log-probabilities of the options by the models' names to scores.
        """
        by = {
            name: {
                (row["example_id"], row["variant"]): dict(row["probabilities"])
                for row in table.select(["example_id", "variant", "probabilities"]).to_pylist()
            }
            for name, table in parts.items()
        }
        queries = pose(self.task, self.examples, self.asking.variants)
        answers: list[list[Found]] = []
        for query in queries:
            options = query.options or self.task.classes or ()
            values = query.values or options
            shares = {name: table[query.example.example_id, query.variant] for name, table in by.items()}
            scores = add({name: np.log([max(each[value], LEAST) for value in values]) for name, each in shares.items()})
            logprobs = scores - np.logaddexp.reduce(scores)
            answers.append([scored_answer(int(scores.argmax()), options, values, logprobs, np.exp(logprobs))])
        return answers_table(queries, answers, source="model", metadata={"decoding": self.handle.kind})

    def read(self, artefact: Artefact) -> pa.Table:
        """The answers."""
        return artefact.table()

    def sketch(self) -> pa.Table:
        """Made-up answers."""
        asking = self.asking
        return made_up_answers(self.task, self.examples, "model", asking.variants, asking.samples, asking.seed)

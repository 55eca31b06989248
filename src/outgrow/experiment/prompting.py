"""Sources that answer behind demonstrations: a model as it is, shown some labelled questions before each question."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import pyarrow as pa

from outgrow.core.errors import ConfigError
from outgrow.core.lab import Student
from outgrow.experiment.fitting import save_untrained
from outgrow.experiment.sources import TURNS, ModelHandle, Sources, content_hash
from outgrow.experiment.steps import Size, StepRequest
from outgrow.store import Artefact, Step, Work
from outgrow.tasks.base import Task
from outgrow.training.render import render_rows

PROMPT_VERSION = 1


@dataclass(frozen=True, eq=False)
class Prompt(StepRequest[Student]):
    """A model that is shown rows as demonstrations.

    Attributes:
        sources: gets to know the result.
        start: the model.
        task: words the rows.
        examples: the questions the rows are about.
        rows: training rows (`core.tables.ROWS`), in the order they are shown.
        name: what answers of the result are called.
        sealed: the rows hold gold.
    """

    sources: Sources
    start: ModelHandle
    task: Task
    examples: pa.Table
    rows: pa.Table
    name: str
    sealed: bool

    def __post_init__(self) -> None:
        """Refuse a model that was trained, which a reader of the results would not find again."""
        if self.start.weights is not None:
            raise ConfigError(f"'{self.start.source.name}' was trained; only base models are shown demonstrations")

    @property
    def what(self) -> str:
        """Who is shown something."""
        return f"demonstrations for {self.name}"

    @property
    def meta(self) -> dict[str, Any]:
        """With whether gold is in it."""
        return {"detail": self.name, "sealed": self.sealed}

    @cached_property
    def step(self) -> Step:
        """What identifies the result."""
        config = {**self.sources.deciding(self.start.ref, self.task), "sealed": self.sealed}
        return Step("prompt", PROMPT_VERSION, config, {"model": self.start.source.key, "rows": content_hash(self.rows)})

    def make(self, work: Work) -> None:
        """Write the demonstrations down."""
        worded = render_rows(self.task, self.rows, self.examples)
        work.save_json([[row.prompt, row.target] for row in worded], TURNS)
        save_untrained(work, self.rows)

    def read(self, artefact: Artefact) -> Student:
        """The model, which can be asked from now on."""
        return self._student(artefact)

    def sketch(self) -> Student:
        """A model that is shown nothing."""
        return self._student(None)

    def _student(self, artefact: Artefact | None) -> Student:
        student = Student(self.name, self.step.key, self.rows.num_rows, self.rows.num_rows)
        self.sources.know(replace(self.start, source=student, shown=artefact))
        return student

    def size(self) -> Size:
        """Its rows."""
        return Size(rows=self.rows.num_rows)

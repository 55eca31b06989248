"""Answers of sources that answer by what changed from one model to another (`outgrow.models.contrast`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, partial

import pyarrow as pa

from outgrow.core.errors import ConfigError
from outgrow.experiment.answering import Report
from outgrow.experiment.composing import DerivedAnswer, Scores
from outgrow.experiment.sources import ContrastHandle
from outgrow.experiment.steps import Size
from outgrow.models.config import ModelRef
from outgrow.store import Step, Work

CONTRAST_ANSWER_VERSION = 1


@dataclass(frozen=True, eq=False)
class ContrastAnswer(DerivedAnswer):
    """Answers (`core.tables.ANSWERS`) of a contrast.

    Options are scored as a whole: log-probability under the base, plus alpha times how much more probable `plus` finds
    them than `minus`. Texts are written token by token from the added scores.

    Attributes:
        handle: the contrast.
        parts: answers of the models to the same questions, one sample of each wording, where options are scored; None
            where texts are written.
        report: hears of progress.
    """

    handle: ContrastHandle
    parts: Mapping[str, pa.Table] | None
    report: Report

    def __post_init__(self) -> None:
        """Refuse what it cannot be asked."""
        if self.parts is None and self.handle.base is None:
            raise ConfigError(
                f"'{self.handle.source.name}' compares options alone, and task '{self.task.name}' has questions "
                "without; give the contrast a base model, which writes"
            )

    @cached_property
    def step(self) -> Step:
        """What identifies the answers."""
        return self.composed("contrast answer", CONTRAST_ANSWER_VERSION, self.handle.plus.ref)

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
        def add(logs: Mapping[str, Scores]) -> Scores:
            change: Scores = self.handle.alpha * (logs["plus"] - logs["minus"])
            return change + logs.get("base", 0.0)

        return self.scored(parts, add)

    def size(self) -> Size:
        """A prompt each where texts are written; scores cost nothing more than those of the models."""
        asked = self.examples.num_rows * self.asking.variants * self.asking.samples
        return Size(prompts=0 if self.parts is not None else asked)

    @property
    def model(self) -> ModelRef | None:
        """One of the models."""
        return self.handle.plus.ref

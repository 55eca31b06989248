"""Answers of sources that say what a reward model likes best among several answers of another model."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, partial

import pyarrow as pa

from outgrow.core.errors import ConfigError
from outgrow.core.tables import with_column
from outgrow.experiment.answering import Report
from outgrow.experiment.composing import DerivedAnswer
from outgrow.experiment.sources import BestHandle
from outgrow.experiment.steps import Size
from outgrow.methods.rows import said_in_words
from outgrow.models.config import ModelRef, with_option
from outgrow.store import Step, Work

BEST_ANSWER_VERSION = 1


@dataclass(frozen=True, eq=False)
class BestAnswer(DerivedAnswer):
    """Answers of the best of several: of those to a wording that can be read, the one with the highest reward.

    Where none can be read the first stands. A tie falls to the answer that was drawn first.

    Attributes:
        handle: who writes, and who judges.
        drawn_answers: what the writer said to each wording, several samples of it.
        report: hears of progress.
    """

    handle: BestHandle
    drawn_answers: pa.Table
    report: Report

    def __post_init__(self) -> None:
        """Refuse what it cannot be asked."""
        if self.asking.samples != 1:
            raise ConfigError(
                f"'{self.handle.source.name}' says the best of {self.handle.samples} answers, so a wording has one; "
                "ask it with samples=1"
            )

    @cached_property
    def step(self) -> Step:
        """What identifies the answers."""
        return self.composed("best_of answer", BEST_ANSWER_VERSION, self.handle.judge.ref)

    def make(self, work: Work) -> None:
        """Rate each different answer to a wording once, and choose."""
        from outgrow.models.classifying import rewards

        answers = self.drawn_answers
        texts = [
            with_option(prompt, said or "")
            for prompt, said in zip(answers["prompt"].to_pylist(), said_in_words(answers).to_pylist(), strict=True)
        ]
        distinct = list(dict.fromkeys(texts))
        found = rewards(
            self.sources.load(self.handle.judge), distinct, progress=work.telling(partial(self.report, self.what))
        )
        reward = dict(zip(distinct, found, strict=True))
        values = answers["value"].to_pylist()
        rated = [-math.inf if v is None else reward[text] for text, v in zip(texts, values, strict=True)]
        ids, variants = (answers[name].to_pylist() for name in ("example_id", "variant"))
        places: dict[tuple[str, int], int] = {}
        for place, wording in enumerate(zip(ids, variants, strict=True)):
            if rated[place] > rated[places.setdefault(wording, place)]:
                places[wording] = place
        best = answers.take(pa.array(places.values(), pa.int64()))
        best = with_column(best, "sample", pa.array([0] * best.num_rows, pa.int64()))
        work.save_table(best.replace_schema_metadata({"decoding": "best_of"}))

    def size(self) -> Size:
        """Each answer is read once by the judge."""
        return Size(prompts=self.examples.num_rows * self.asking.variants * self.handle.samples)

    @property
    def model(self) -> ModelRef | None:
        """The judge."""
        return self.handle.judge.ref

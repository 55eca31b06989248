"""The tokens of answers that models wrote, kept beside them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from outgrow.core.errors import ConfigError
from outgrow.core.tables import TOKENS, build
from outgrow.experiment.steps import Counts, Size, StepRequest
from outgrow.experiment.work import PlannedWork
from outgrow.models.config import ModelRef
from outgrow.store import Artefact, Step, Work
from outgrow.training.config import TrainConfig

TOKEN_FILE = "tokens.parquet"
"""Of a step that answers: the tokens of the texts (`core.tables.TOKENS`)."""


@dataclass(frozen=True, eq=False)
class TokensOf(StepRequest[pa.Table]):
    """The tokens (`core.tables.TOKENS`) of the texts in a step's answers; the step is the same.

    Attributes:
        answers: the request for the answers.
    """

    answers: StepRequest[pa.Table]

    @property
    def step(self) -> Step:
        """That of the answers."""
        return self.answers.step

    @property
    def what(self) -> str:
        """That of the answers."""
        return self.answers.what

    def make(self, work: Work) -> None:
        """Make the answers."""
        self.answers.make(work)

    def read(self, artefact: Artefact) -> pa.Table:
        """The tokens.

        Raises:
            ConfigError: the answers are no texts that a model on this machine wrote.
        """
        if TOKEN_FILE not in artefact.files:
            raise ConfigError(
                f"{self.what}: token probabilities are kept of texts that a model on this machine writes, and these "
                "answers were chosen among options or come from elsewhere; use labels: hard"
            )
        return artefact.table(TOKEN_FILE)

    def sketch(self) -> pa.Table:
        """A token for each made-up answer."""
        answers = self.answers.sketch()
        keys = {name: answers[name] for name in ("example_id", "source", "variant", "sample")}
        lengths = [len(text or "") for text in answers["text"].to_pylist()]
        n = len(lengths)
        columns = {"starts": [[0]] * n, "ends": [[length] for length in lengths], "logprobs": [[-1.0]] * n}
        return build(TOKENS, {**keys, **columns})

    @property
    def drawn(self) -> bool:
        """As the answers are."""
        return self.answers.drawn

    @property
    def meta(self) -> dict[str, Any]:
        """That of the answers."""
        return self.answers.meta

    def size(self) -> Size:
        """That of the answers."""
        return self.answers.size()

    def planned(self, counts: Counts) -> PlannedWork:
        """That of the answers."""
        return self.answers.planned(counts)

    @property
    def about(self) -> str:
        """That of the answers."""
        return self.answers.about

    @property
    def model(self) -> ModelRef | None:
        """That of the answers."""
        return self.answers.model

    @property
    def train(self) -> TrainConfig | None:
        """That of the answers."""
        return self.answers.train

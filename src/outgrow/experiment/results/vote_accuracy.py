"""The accuracy of labels estimated from their votes, kept in the store: its bootstrap costs seconds each time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import pyarrow as pa

from outgrow.core.errors import DataError, PrerequisiteError
from outgrow.core.hashing import sha256_text
from outgrow.experiment.steps import StepRequest
from outgrow.reliability import AccuracyEstimate, accuracy_from_votes
from outgrow.store import Artefact, Step, Work

VERSION = 2  # the votes have to fit, and be answers of one model to several wordings


@dataclass(frozen=True, eq=False)
class VoteAccuracy(StepRequest[AccuracyEstimate]):
    """`accuracy_from_votes` of one seed's labels.

    Attributes:
        labels: labels of one source.
        options: question to its number of options; None for free answers.
        groups: question to its group.
        seed: of the bootstrap.
    """

    labels: pa.Table
    options: Mapping[str, int] | None
    groups: Mapping[str, str]
    seed: int

    @property
    def what(self) -> str:
        """What is estimated."""
        return "label accuracy from votes"

    @cached_property
    def step(self) -> Step:
        """What identifies the estimate: votes, options, groups and seed."""
        votes = self.labels.select(["example_id", "value", "votes", "n_valid", "n_invalid"]).to_pylist()
        wordings = (self.labels.schema.metadata or {}).get(b"wordings", b"").decode()
        inputs = {"votes": sha256_text(votes, wordings), "about": sha256_text(self.options, dict(self.groups))}
        return Step("label accuracy", VERSION, {"seed": self.seed}, inputs)

    def make(self, work: Work) -> None:
        """Estimate it, or keep why it cannot be told, which takes as long to find out."""
        try:
            made = asdict(accuracy_from_votes(self.labels, options=self.options, groups=self.groups, seed=self.seed))
        except (DataError, PrerequisiteError) as refused:
            made = {"reason": str(refused)}
        work.save_json(made, "estimate.json")

    def read(self, artefact: Artefact) -> AccuracyEstimate:
        """The estimate.

        Raises:
            PrerequisiteError: free answers, labels without a value, or votes from which it cannot be told.
        """
        stored: dict[str, Any] = artefact.json("estimate.json")
        if "reason" in stored:
            raise PrerequisiteError(stored["reason"])
        return AccuracyEstimate(**stored)

    def sketch(self) -> AccuracyEstimate:
        """A made-up estimate."""
        return AccuracyEstimate(0.5, 0.0, 1.0, "votes", self.labels.num_rows, 0, "")

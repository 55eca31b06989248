"""Weights of supervisors learnt with the student, easy questions first (RAVEN, arXiv 2510.21332)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from outgrow.core.errors import ConfigError
from outgrow.objectives.annotators import ANNOTATOR, Count
from outgrow.objectives.of_choices import OfChoices, cross_entropy
from outgrow.objectives.soft_tokens import SoftTokens

if TYPE_CHECKING:
    from torch import Tensor

    from outgrow.objectives.base import Batch, Losses, State
    from outgrow.objectives.options import Choices

EASY = "easy"
"""Field of the rows: 1 where all supervisors give the question the same answer, else 0."""


@dataclass(frozen=True)
class LearntWeights:
    """Weights of supervisors that go down the loss with the student.

    After a step `w_m <- max(w_m - rate (L_m - L), 1e-6)`, renormalised, with L_m the mean loss of the supervisor's rows
    and `L = sum_m w_m L_m`. In the first `start` of the steps w stays, and only questions on which all supervisors
    agree teach anything. The loss rewards supervisors whose labels are easy, not those that are right: one who always
    says the same thing takes all the weight.

    Attributes:
        annotators: how many supervisors there are; each row names one in the field `annotator`.
        rate: eta.
        start: share of the steps with easy questions alone.
    """

    annotators: Count = 2
    rate: Annotated[float, Field(ge=0)] = 1e-3
    start: Annotated[float, Field(ge=0, le=1)] = 0.5

    def prepare(self, targets: Any) -> State:
        """Equal weights."""
        import torch

        return {"weights": torch.full((self.annotators,), 1 / self.annotators)}

    def weighed(self, losses: Tensor, batch: Batch, progress: float, state: State) -> Tensor:
        """Row losses times w_m M, those that are not easy left out in the beginning.

        Raises:
            ConfigError: the rows do not say whose labels they are, or whether all agree.
        """
        if missing := [name for name in (ANNOTATOR, EASY) if name not in batch.fields]:
            raise ConfigError(f"RAVEN needs to know whose labels rows are, and where all agree: fields {missing}")
        weights: Tensor = state["weights"][batch.fields[ANNOTATOR].long()] * self.annotators
        losses = weights.to(losses.dtype) * losses
        return losses * batch.fields[EASY].to(losses.dtype) if progress < self.start else losses

    def seen(self, losses: Tensor, batch: Batch, progress: float) -> Mapping[str, Tensor]:
        """What `advance` is given: every row's loss, whose it is, and whether the weights move by now."""
        losses = losses.detach()
        return {
            "loss": losses, "annotator": batch.fields[ANNOTATOR].long(), "weight": batch.weight.to(losses.dtype),
            "after_start": losses * 0 + float(progress >= self.start),
        }  # fmt: skip

    def advance(self, state: State, observed: Mapping[str, Tensor]) -> State:
        """The weights after a step."""
        weights: Tensor = state["weights"]
        if not bool(observed["after_start"].all()):
            return state
        who, rows = observed["annotator"], observed["weight"].to(weights.dtype)
        zeros = weights * 0
        seen = zeros.index_add(0, who, rows)
        sums = zeros.index_add(0, who, observed["loss"].to(weights.dtype) * rows)
        there = seen > 0
        mean = sums / seen.where(there, zeros + 1)
        share = weights * there
        loss = (share * mean).sum() / share.sum()
        moved = (weights - self.rate * (mean - loss) * there).clamp_min(1e-6)
        return {"weights": moved / moved.sum()}


@dataclass(frozen=True)
class Raven(LearntWeights, OfChoices):
    """Cross-entropy against `sum_m w_m P_m`, with w learnt: each row is one supervisor's label of one question."""

    name: str = "raven"

    def row_losses(self, view: Choices, batch: Batch, progress: float, state: State) -> Tensor:
        """As `OfChoices.row_losses`."""
        return self.weighed(cross_entropy(view.target, view.logs), batch, progress, state)

    def observe(self, view: Choices, batch: Batch, state: State) -> Mapping[str, Tensor]:
        """Every row's cross-entropy."""
        return {"loss": cross_entropy(view.target, view.logs)}

    def __call__(self, outputs: Any, batch: Batch, progress: float, state: State) -> Losses:
        """See `outgrow.objectives.base.Objective`."""
        losses = super().__call__(outputs, batch, progress, state)
        return losses._replace(observed=self.seen(losses.observed["loss"], batch, progress))


@dataclass(frozen=True)
class RavenTokens(LearntWeights, SoftTokens):
    """`SoftTokens` against every supervisor's texts, each row times w_m M, with w learnt."""

    name: str = "raven_tokens"

    def __call__(self, outputs: Any, batch: Batch, progress: float, state: State) -> Losses:
        """See `outgrow.objectives.base.Objective`."""
        plain = super().__call__(outputs, batch, progress, state)
        own = plain.losses / plain.units  # of a token, under `normalise: token`
        return plain._replace(
            losses=self.weighed(plain.losses, batch, progress, state), observed=self.seen(own, batch, progress)
        )

"""Weights of supervisors learnt with the student, easy questions first (RAVEN, arXiv 2510.21332)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from outgrow.core.errors import ConfigError
from outgrow.objectives.annotators import ANNOTATOR, Count
from outgrow.objectives.of_choices import OfChoices, cross_entropy

if TYPE_CHECKING:
    from torch import Tensor

    from outgrow.objectives.base import Batch, Losses, State
    from outgrow.objectives.options import Choices

EASY = "easy"
"""Field of the rows: 1 where all supervisors give the question the same answer, else 0."""


@dataclass(frozen=True)
class Raven(OfChoices):
    """Cross-entropy against `sum_m w_m P_m`, and w going down the same loss.

    Each row is one supervisor's label of one question, so the loss is that of its label times w_m M. After a step
    `w_m <- max(w_m - rate (CE_m - L), 1e-6)`, renormalised, with CE_m the mean over the supervisor's rows and
    `L = sum_m w_m CE_m`. In the first `start` of the steps w stays, and only questions on which all supervisors agree
    teach anything. The loss rewards supervisors whose labels are easy, not those that are right: one who always says
    the same thing takes all the weight.

    Attributes:
        annotators: how many supervisors there are; each row names one in the field `annotator`.
        rate: eta.
        start: share of the steps with easy questions alone.
    """

    name: str = "raven"
    annotators: Count = 2
    rate: Annotated[float, Field(ge=0)] = 1e-3
    start: Annotated[float, Field(ge=0, le=1)] = 0.5

    def prepare(self, targets: Any) -> State:
        """Equal weights."""
        import torch

        return {"weights": torch.full((self.annotators,), 1 / self.annotators)}

    def row_losses(self, view: Choices, batch: Batch, progress: float, state: State) -> Tensor:
        """As `OfChoices.row_losses`.

        Raises:
            ConfigError: the rows do not say whose labels they are, or whether all agree.
        """
        if missing := [name for name in (ANNOTATOR, EASY) if name not in batch.fields]:
            raise ConfigError(f"{self.name} needs to know whose labels rows are, and where all agree: fields {missing}")
        weights: Tensor = state["weights"][batch.fields[ANNOTATOR].long()] * self.annotators
        losses = weights.to(view.logits.dtype) * cross_entropy(view.target, view.logs)
        return losses * batch.fields[EASY].to(losses.dtype) if progress < self.start else losses

    def observe(self, view: Choices, batch: Batch, state: State) -> Mapping[str, Tensor]:
        """Every row's cross-entropy, and whose it is."""
        losses = cross_entropy(view.target, view.logs.detach())
        return {"loss": losses, "annotator": batch.fields[ANNOTATOR].long(), "weight": batch.weight.to(losses.dtype)}

    def __call__(self, outputs: Any, batch: Batch, progress: float, state: State) -> Losses:
        """See `outgrow.objectives.base.Objective`."""
        losses = super().__call__(outputs, batch, progress, state)
        after = losses.losses.detach() * 0 + float(progress >= self.start)
        return losses._replace(observed={**losses.observed, "after_start": after})

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

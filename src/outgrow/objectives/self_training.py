"""Losses that lean on what the student says beside the label: product, confidence terms, AdaptConf, window."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from outgrow.objectives.of_choices import OfChoices, cross_entropy, hardest, ramp

if TYPE_CHECKING:
    from torch import Tensor

    from outgrow.objectives.base import Batch, State
    from outgrow.objectives.options import Choices

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Product(OfChoices):
    """Learn the product of the label's and the student's own probabilities (arXiv 2312.09390, appendix B).

    `L = (1 - a) CE(p, label) + a CE(p, q)`, `q_k ~ label_k p_k` without gradient. Needs no statistics of a batch.
    Where the label is hard it says the same as the label.

    Attributes:
        alpha: weight of the product.
        warmup: share of the steps over which it rises.
    """

    name: str = "product"
    alpha: Share = 1.0
    warmup: Share = 0.2

    def row_losses(self, view: Choices, batch: Batch, progress: float, state: State) -> Tensor:
        """As `OfChoices.row_losses`."""
        both = (view.target.log() + view.logs.detach()).softmax(1)
        alpha = self.alpha * ramp(progress, self.warmup)
        return cross_entropy((1 - alpha) * view.target + alpha * both, view.logs)


@dataclass(frozen=True)
class ConfidenceTerm(OfChoices):
    """Reward confidence as such (arXiv 2312.09390, appendix B).

    `L = (1 - a) CE(p, label) + a R(p)`; R is `-1/2 sum_k (p_k - 1/K)^2`, which is `-(p - 1/2)^2` for two classes, or
    the entropy.

    Attributes:
        term: `square` or `entropy`.
        alpha: its weight.
        warmup: share of the steps over which it rises.
    """

    name: str = "confidence_term"
    term: Literal["square", "entropy"] = "square"
    alpha: Share = 0.5
    warmup: Share = 0.2

    def row_losses(self, view: Choices, batch: Batch, progress: float, state: State) -> Tensor:
        """As `OfChoices.row_losses`."""
        shares = view.logs.exp()
        if self.term == "entropy":
            term = cross_entropy(shares, view.logs)
        else:
            term = -((shares - view.mask / view.mask.sum(1, keepdim=True)) ** 2).sum(1) / 2
        alpha = self.alpha * ramp(progress, self.warmup)
        return (1 - alpha) * cross_entropy(view.target, view.logs) + alpha * term


@dataclass(frozen=True)
class AdaptConf(OfChoices):
    """The student's own prediction, weighted by how sure it is of it and of the label's (arXiv 2402.03749).

    `L = (1 - a) KL(label to p) + a CE(p, argmax p)` with `a = c^(1/T) / (c^(1/T) + m^(1/T))`, c the student's
    probability of the label's most probable option and m that of its own; a is at most 1/2, where the two agree.

    Attributes:
        temperature: T.
    """

    name: str = "adaptconf"
    temperature: Annotated[float, Field(gt=0)] = 0.5

    def row_losses(self, view: Choices, batch: Batch, progress: float, state: State) -> Tensor:
        """As `OfChoices.row_losses`."""
        own = view.logs.detach()
        said = (hardest(view.target) * own).sum(1)
        weight = ((said - own.amax(1)) / self.temperature).sigmoid()
        apart = cross_entropy(view.target, view.logs) - cross_entropy(view.target, view.target.clamp_min(1e-30).log())
        return (1 - weight) * apart + weight * cross_entropy(hardest(own), view.logs)


@dataclass(frozen=True)
class Window(OfChoices):
    """Learn only from rows of which the student is not yet as sure as labels usually are (EleutherAI/w2s).

    Cross-entropy where the student's highest probability is below the median, over the training set, of the labels'
    highest probability (for two classes `.5 + median |label - .5|`); elsewhere 0. Hard labels leave all rows in.
    """

    name: str = "window"

    def prepare(self, targets: Any) -> State:
        """The median."""
        import numpy as np

        return {"below": float(np.median(targets.share.max(axis=1)))}

    def row_losses(self, view: Choices, batch: Batch, progress: float, state: State) -> Tensor:
        """As `OfChoices.row_losses`."""
        unsure: Tensor = view.logs.detach().amax(1).exp() < state["below"]
        return cross_entropy(view.target, view.logs) * unsure

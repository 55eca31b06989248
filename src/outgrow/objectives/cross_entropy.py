"""Cross-entropy of the K-class view: soft, hardened or smoothed targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from pydantic import Field

from outgrow.objectives.of_choices import OfChoices, cross_entropy, hardest

if TYPE_CHECKING:
    from torch import Tensor

    from outgrow.objectives.base import Batch, State
    from outgrow.objectives.options import Choices


@dataclass(frozen=True)
class CrossEntropy(OfChoices):
    """Cross-entropy over the options, against labels as they are, hardened, or smoothed.

    `-sum_k t_k ln p_k` with `t <- (1 - smoothing) t + smoothing / K`.

    Attributes:
        hard: put all of a label's weight on its most probable option first.
        smoothing: weight of the uniform distribution, 0 to 1.
    """

    name: str = "cross_entropy"
    hard: bool = False
    smoothing: Annotated[float, Field(ge=0, le=1)] = 0.0

    def row_losses(self, view: Choices, batch: Batch, progress: float, state: State) -> Tensor:
        """As `OfChoices.row_losses`."""
        target = hardest(view.target) if self.hard else view.target
        uniform = view.mask / view.mask.sum(1, keepdim=True)
        return cross_entropy((1 - self.smoothing) * target + self.smoothing * uniform, view.logs)

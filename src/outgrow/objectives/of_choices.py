"""Objectives that are a function of the K-class view: the rest of the protocol, once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

if TYPE_CHECKING:
    from torch import Tensor

    from outgrow.objectives.base import Batch, Losses, State
    from outgrow.objectives.options import Choices

TINY = 1e-6
"""Scores nearer than this are equal."""


@dataclass(frozen=True)
class OfChoices:
    """A loss per row from the probabilities of K classes and what the label says of them.

    Subclasses write `row_losses`, `monitor` if they show something, and `observe`, `prepare` and `advance` if they keep
    statistics. They use methods of
    tensors alone, so that a recipe can be read without torch.
    """

    version: ClassVar[int] = 1
    of_options: ClassVar[Any] = True
    reading: ClassVar[str] = "softmax"

    name: str = ""

    def prepare(self, targets: Any) -> State:
        """State made from the whole training set: none."""
        return {}

    def row_losses(self, view: Choices, batch: Batch, progress: float, state: State) -> Tensor:
        """Losses (rows,) in nats."""
        raise NotImplementedError

    def observe(self, view: Choices, batch: Batch, state: State) -> Mapping[str, Tensor]:
        """What `advance` is given of each row: nothing."""
        return {}

    def monitor(self, view: Choices, batch: Batch) -> Mapping[str, Tensor]:
        """What a training's history shows of each row (rows,): nothing."""
        return {}

    def advance(self, state: State, observed: Mapping[str, Tensor]) -> State:
        """State after a step: as before."""
        return state

    def __call__(self, outputs: Any, batch: Batch, progress: float, state: State) -> Losses:
        """See `outgrow.objectives.base.Objective`."""
        from outgrow.objectives.base import Losses
        from outgrow.objectives.options import choices

        view = choices(outputs, batch, raw=self.reading != "softmax")
        losses = self.row_losses(view, batch, progress, state)
        shown = {name: values.detach() for name, values in self.monitor(view, batch).items()}
        return Losses(losses, view.target.new_ones(len(view.target)), shown, self.observe(view, batch, state))


def cross_entropy(target: Tensor, logs: Tensor) -> Tensor:
    """`-sum_k target_k ln p_k` in nats, (rows,).

    Args:
        target: probabilities (rows, K).
        logs: natural-log probabilities (rows, K).
    """
    return -(target * logs).sum(1)


def hardest(scores: Tensor) -> Tensor:
    """All weight on the highest score of each row (rows, K), in equal parts on those that tie."""
    tied = (scores >= scores.amax(1, keepdim=True) - TINY).to(scores.dtype)
    return tied / tied.sum(1, keepdim=True)


def ramp(progress: float, warmup: float) -> float:
    """0 at the start, rising linearly to 1 when `warmup` of the steps are done, and 1 from there on."""
    return min(1.0, progress / warmup) if warmup > 0 else 1.0

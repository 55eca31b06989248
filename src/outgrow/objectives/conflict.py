"""A second goal that pulls against the labels (arXiv 2406.11431, equations 2 and 3 of our notes)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from outgrow.core.errors import ConfigError
from outgrow.objectives.of_choices import OfChoices
from outgrow.objectives.preference import BradleyTerry, Dpo, NotNegative, OfPairs, SimPo

if TYPE_CHECKING:
    from torch import Tensor

    from outgrow.objectives.base import Batch, State
    from outgrow.objectives.options import Choices

LOSSES: Mapping[str, OfPairs] = {"bradley_terry": BradleyTerry(), "dpo": Dpo(), "simpo": SimPo()}
"""The paper's settings: beta 0.1 of DPO, beta 2 and gamma 1 of SimPO."""


@dataclass(frozen=True)
class ExplicitConflict(OfChoices):
    """An oracle adversary: whenever the student prefers the harmful answer, it is rewarded for that.

    `l(label) + weight * 1[student prefers the harmful answer] * l(harmful > harmless)`. Which answer is harmless, the
    field `harmless` of the rows says (0 the first, 1 the second): gold, which no supervisor has.

    Attributes:
        loss: l, with the paper's settings.
        weight: the paper's a; 0 is training without conflict.
    """

    name: str = "explicit_conflict"
    loss: Literal["bradley_terry", "dpo", "simpo"] = "bradley_terry"
    weight: NotNegative = 0.5

    @property
    def of(self) -> OfPairs:
        """The loss of a pair."""
        return LOSSES[self.loss]

    @property
    def needs_reference(self) -> bool:
        """Whether the loss has one."""
        return self.of.needs_reference

    def prepare(self, targets: Any) -> State:
        """As the loss does."""
        return self.of.prepare(targets)

    def row_losses(self, view: Choices, batch: Batch, progress: float, state: State) -> Tensor:
        """As `OfChoices.row_losses`.

        Raises:
            ConfigError: the rows have no field `harmless`.
        """
        losses = self.of.row_losses(view, batch, progress, state)
        if not self.weight:
            return losses
        if "harmless" not in batch.fields:
            raise ConfigError(
                "explicit conflict needs to know which answer is harmless: a field 'harmless' of the rows"
            )
        second = batch.fields["harmless"] > 0.5
        raw, margin = self.of.raw_scores(view), self.of.margin(view, batch)
        ahead = raw[:, 1] - raw[:, 0]
        harmful = ahead.where(~second, -ahead).detach() > 0
        pull = self.of.margin_loss(margin.where(second, -margin))
        return losses + self.weight * harmful.to(losses.dtype) * pull

    def monitor(self, view: Choices, batch: Batch) -> Mapping[str, Tensor]:
        """As the loss does."""
        return self.of.monitor(view, batch)

"""Say what the supervisor said: plain fine-tuning on labels, hard or soft."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True)
class Imitation:
    """Cross-entropy against the target (definition 5), or against option probabilities.

    With hard targets this is naive weak-to-strong fine-tuning (arXiv 2312.09390); with row weights, the loss of
    reliability re-weighting (arXiv 2406.19032, equation 5 of our notes).
    """

    version: ClassVar[int] = 1
    of_options: ClassVar[bool] = False
    reading: ClassVar[str] = "softmax"

    name: str = "imitation"

    def prepare(self, targets: Any) -> Mapping[str, Any]:
        """No state."""
        return {}

    def __call__(self, outputs: Any, batch: Any, progress: float, state: Mapping[str, Any]) -> Any:
        """Row losses in nats and their units; see `outgrow.objectives.losses`."""
        from outgrow.objectives.base import Losses
        from outgrow.objectives.losses import class_rows_nll, row_units, token_rows_nll

        if batch.scored is not None:
            from outgrow.objectives.options import choices

            view = choices(outputs, batch)
            losses = -(view.target * view.logs).sum(1)
        elif batch.tokens is None:
            losses = class_rows_nll(outputs.logits, batch)
        else:
            losses = token_rows_nll(outputs.logits, batch, batch.tokens)
        return Losses(losses, row_units(batch), {}, {})

    def advance(self, state: Mapping[str, Any], observed: Mapping[str, Any]) -> Mapping[str, Any]:
        """No state."""
        return state


imitation = Imitation()

"""Say what the supervisor said: plain fine-tuning on labels, hard or soft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Imitation:
    """Cross-entropy against the target (definition 5), or against option probabilities.

    With hard targets this is naive weak-to-strong fine-tuning (arXiv 2312.09390); with row weights, the loss of
    reliability re-weighting (arXiv 2406.19032, equation 5 of our notes).
    """

    name: str = "imitation"

    def prepare(self, rows: Sequence[Any]) -> Mapping[str, Any]:
        """No state."""
        return {}

    def __call__(self, outputs: Any, batch: Any, progress: float, state: Mapping[str, Any]) -> Any:
        """Row losses in nats and their units; see `outgrow.objectives.losses`."""
        from outgrow.objectives.base import Losses
        from outgrow.objectives.losses import class_rows_nll, row_units, token_rows_nll

        if batch.tokens is None:
            losses = class_rows_nll(outputs.logits, batch)
        else:
            losses = token_rows_nll(outputs.logits, batch, batch.tokens)
        return Losses(losses, row_units(batch), state, {})


imitation = Imitation()

"""How a classifier's scores become probabilities and an uncertainty; saved with a model, as its training needs it.

Whoever needs probabilities asks the reading: a score is a logit under one and evidence under another.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor


class Readout(NamedTuple):
    """What scores say.

    Attributes:
        logprobs: natural-log probability of each class.
        uncertainty: of each row, larger for less certain; its range depends on the reading.
    """

    logprobs: Float[Tensor, "rows classes"]
    uncertainty: Float[Tensor, "rows"]


def softmax(scores: Float[Tensor, "rows classes"]) -> Readout:
    """Scores are log-probabilities up to a constant; the uncertainty is their entropy, 0 to ln K nats."""
    logprobs = torch.log_softmax(scores, dim=1)
    return Readout(logprobs, -(logprobs.exp() * logprobs).sum(1))


READINGS: dict[str, Callable[[Float[Tensor, "rows classes"]], Readout]] = {"softmax": softmax}
"""By the name that `Objective.reading` and saved models give."""

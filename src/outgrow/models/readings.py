"""How scores of classes, or of options' first tokens, become probabilities and an uncertainty.

A reading is saved with a model, as its training needs it.

Whoever needs probabilities asks the reading: a score is a logit under one and evidence under another.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from outgrow.objectives.evidential import Evidence, concentrations


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


def dirichlet(evidence: Evidence, scores: Float[Tensor, "rows classes"]) -> Readout:
    """Scores are evidence for a Dirichlet distribution; the uncertainty is the vacuity K / S, 0 to 1."""
    alpha = concentrations(scores, torch.ones_like(scores, dtype=torch.bool), evidence)
    total = alpha.sum(1, keepdim=True)
    return Readout((alpha / total).log(), scores.shape[1] / total[:, 0])


READINGS: dict[str, Callable[[Float[Tensor, "rows classes"]], Readout]] = {
    "softmax": softmax,
    "dirichlet_exp": partial(dirichlet, "exp"),
    "dirichlet_softplus": partial(dirichlet, "softplus"),
    "dirichlet_relu": partial(dirichlet, "relu"),
}
"""By the name that `Objective.reading` and saved models give."""


def of_evidence(reading: str) -> bool:
    """Whether scores are evidence for classes or options; a language model's are those of the options' first tokens."""
    return reading in READINGS and reading != "softmax"

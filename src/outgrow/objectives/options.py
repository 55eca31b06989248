"""One view of everything that chooses among K: a classifier's classes, and the options of a language model."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from outgrow.core.errors import ConfigError
from outgrow.objectives.base import Batch, Outputs
from outgrow.objectives.losses import answer_nll


class Choices(NamedTuple):
    """The K-class view of a micro-batch; K is the same for all micro-batches of a training.

    Attributes:
        logits: scores before softmax: of classes, or the options' log-probabilities in nats summed over their tokens,
            end of sequence included. Where a row has fewer options: the lowest float, so that its softmax is 0 and
            0 times its logarithm is 0.
        mask: which options a row has.
        target: probability of each option, sum 1; 0 where a row has fewer.
    """

    logits: Float[Tensor, "rows options"]
    mask: Bool[Tensor, "rows options"]
    target: Float[Tensor, "rows options"]


def choices(outputs: Outputs, batch: Batch) -> Choices:
    """Scores and targets of the options of each row, whatever the head is.

    Raises:
        ConfigError: rows of head `lm` without options.
    """
    if batch.classes is not None:
        return Choices(outputs.logits.float(), torch.ones_like(batch.classes, dtype=torch.bool), batch.classes)
    tokens = batch.tokens
    assert tokens is not None
    if not bool(tokens.soft.all()):
        raise ConfigError(
            "this objective weighs options against each other, but some rows have none; it has to declare "
            "of_options = True, so that rows get them"
        )
    counts = torch.bincount(tokens.row, minlength=len(batch.weight))
    column = torch.arange(len(tokens.row), device=counts.device) - (counts.cumsum(0) - counts)[tokens.row]
    shape, place = (len(counts), max(tokens.most, int(counts.max()))), (tokens.row, column)
    mask = torch.zeros(shape, dtype=torch.bool, device=counts.device).index_put(place, torch.ones_like(tokens.soft[:1]))
    lowest = torch.full(shape, torch.finfo(torch.float32).min, device=counts.device)
    logits = lowest.index_put(place, -answer_nll(outputs.logits, tokens))
    return Choices(logits, mask, torch.zeros(shape, device=counts.device).index_put(place, tokens.share))

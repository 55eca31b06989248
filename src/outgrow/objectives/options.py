"""One view of everything that chooses among K: a classifier's classes, and the options of a language model."""

from __future__ import annotations

from typing import NamedTuple

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from outgrow.core.errors import ConfigError
from outgrow.objectives.base import Batch, Outputs
from outgrow.objectives.losses import answer_nll


class Choices(NamedTuple):
    """The K-class view of a micro-batch; K is the same for all micro-batches of a training.

    Attributes:
        logits: scores before softmax: of classes, or the options' log-probabilities in nats summed over their tokens,
            end of sequence included, or (`raw`) the scores of their first tokens. Where a row has fewer options: the
            lowest float, so that its softmax is 0 and 0 times its logarithm is 0.
        mask: which options a row has.
        target: probability of each option, sum 1; 0 where a row has fewer.
        length: tokens of each option, end of sequence included; 1 for classes, rewards, first tokens, and where a row
            has fewer.
    """

    logits: Float[Tensor, "rows options"]
    mask: Bool[Tensor, "rows options"]
    target: Float[Tensor, "rows options"]
    length: Float[Tensor, "rows options"]

    @property
    def logs(self) -> Float[Tensor, "rows options"]:
        """Natural-log probabilities of the options."""
        return self.logits.log_softmax(1)


def choices(outputs: Outputs, batch: Batch, *, raw: bool = False) -> Choices:
    """Scores and targets of the options of each row, whatever the head is.

    Args:
        outputs: of the head.
        batch: the rows.
        raw: of head `lm` take the scores of the options' first tokens as the model gives them, without its softmax
            over the vocabulary: as evidence they count by themselves. Each option then has a token of its own.

    Raises:
        ConfigError: rows of head `lm` without options.
    """
    if batch.classes is not None:
        mask = torch.ones_like(batch.classes, dtype=torch.bool)
        return Choices(outputs.logits.float(), mask, batch.classes, torch.ones_like(batch.classes))
    if batch.scored is not None:
        scored = batch.scored
        scores = outputs.logits.float()[:, 0]
        return _by_row(scored.row, scored.share, scored.most, scores, torch.ones_like(scores), len(batch.weight))
    tokens = batch.tokens
    assert tokens is not None
    if not bool(tokens.soft.all()):
        raise ConfigError(
            "this objective weighs options against each other, but some rows have none; it has to declare "
            "of_options = True, so that rows get them"
        )
    if raw:
        first = tokens.length.cumsum(0) - tokens.length
        scores = outputs.logits.float()[tokens.place[first], tokens.token[first]]
        return _by_row(tokens.row, tokens.share, tokens.most, scores, torch.ones_like(scores), len(batch.weight))
    scores = -answer_nll(outputs.logits, tokens)
    return _by_row(tokens.row, tokens.share, tokens.most, scores, tokens.length.to(scores.dtype), len(batch.weight))


def _by_row(
    row: Int[Tensor, "options"],
    share: Float[Tensor, "options"],
    most: int,
    scores: Float[Tensor, "options"],
    length: Float[Tensor, "options"],
    rows: int,
) -> Choices:
    """Options that stand flat, row after row, as a table."""
    counts = torch.bincount(row, minlength=rows)
    column = torch.arange(len(row), device=counts.device) - (counts.cumsum(0) - counts)[row]
    shape, place = (len(counts), max(most, int(counts.max()))), (row, column)
    here = torch.ones((), dtype=torch.bool, device=counts.device)
    mask = torch.zeros(shape, dtype=torch.bool, device=counts.device).index_put(place, here)
    lowest = torch.full(shape, torch.finfo(torch.float32).min, device=counts.device)
    none, one = torch.zeros(shape, device=counts.device), torch.ones(shape, device=counts.device)
    return Choices(lowest.index_put(place, scores), mask, none.index_put(place, share), one.index_put(place, length))

"""Negative log-likelihoods of rows, hard and soft."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from outgrow.objectives.base import Batch, Tokens


def answer_nll(logits: Float[Tensor, "places vocabulary"], tokens: Tokens) -> Float[Tensor, "answers"]:
    """-log P(answer | prompt) in nats, summed over the answer's tokens, end of sequence included."""
    per_token = functional.cross_entropy(logits[tokens.place].float(), tokens.token, reduction="none")
    return torch.zeros_like(tokens.share).index_add(0, tokens.answer, per_token)


def token_rows_nll(logits: Float[Tensor, "places vocabulary"], batch: Batch, tokens: Tokens) -> Float[Tensor, "rows"]:
    """Row losses of head `lm`.

    Hard row: mean over the target's tokens (or their sum, `normalise: token`). Soft row: -sum_o p_o log P(o),
    where P is the softmax of the options' summed log-probabilities.
    """
    nll = answer_nll(logits, tokens)
    hard = nll / tokens.length if batch.normalise == "mean" else nll
    rows = torch.zeros_like(batch.weight)
    if not bool(tokens.soft.any()):
        return rows.index_add(0, tokens.row, hard)
    soft_answer = tokens.soft[tokens.row]
    # log of the sum over a row's options, by a (rows, answers) table: both are few
    table = torch.where(tokens.row[None, :] == torch.arange(len(rows), device=nll.device)[:, None], -nll, -torch.inf)
    normalised = -nll - torch.logsumexp(table, dim=1)[tokens.row]
    return rows.index_add(0, tokens.row, torch.where(soft_answer, -tokens.share * normalised, hard))


def class_rows_nll(logits: Float[Tensor, "rows classes"], batch: Batch) -> Float[Tensor, "rows"]:
    """Row losses of head `classifier`: cross-entropy in nats against the row's class probabilities."""
    assert batch.classes is not None
    return functional.cross_entropy(logits.float(), batch.classes, reduction="none")


def row_units(batch: Batch) -> Float[Tensor, "rows"]:
    """What a row counts for in the step's denominator: 1, or under `normalise: token` its target tokens."""
    ones = torch.ones_like(batch.weight)
    if batch.normalise == "mean" or batch.tokens is None:
        return ones
    tokens = batch.tokens
    counts = torch.zeros_like(batch.weight).index_add(0, tokens.row, tokens.length.to(batch.weight.dtype))
    return torch.where(tokens.soft, ones, counts)

"""What a loss sees and what it gives back: one value per row, never reduced."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Bool, Float, Int
from torch import Tensor


@dataclass(frozen=True)
class Tokens:
    """The target tokens of a micro-batch for head `lm`, flat.

    An *answer* is one text that is scored after a prompt: a hard row has one, a soft row one per option. Tokens of
    several answers may be predicted at the same place (the end of the prompt), so `place` points into the logits.

    Attributes:
        place: row of the logits that predicts each token.
        token: id of each token, end of sequence included.
        answer: the answer each token belongs to.
        row: the training row each answer belongs to.
        length: tokens of each answer.
        share: probability of each answer within its row; 1 for a hard row.
        soft: which rows have several answers.
    """

    place: Int[Tensor, "tokens"]
    token: Int[Tensor, "tokens"]
    answer: Int[Tensor, "tokens"]
    row: Int[Tensor, "answers"]
    length: Int[Tensor, "answers"]
    share: Float[Tensor, "answers"]
    soft: Bool[Tensor, "rows"]


@dataclass(frozen=True)
class Batch:
    """A micro-batch as an objective sees it.

    Attributes:
        row_ids: names of the rows.
        weight: weight of each row; the loop multiplies by it, an objective does not.
        normalise: `mean` over a row's target tokens or sum over them (`token`).
        tokens: the target tokens (head `lm`), else None.
        classes: probability of each class in each row (head `classifier`), else None.
    """

    row_ids: tuple[str, ...]
    weight: Float[Tensor, "rows"]
    normalise: str
    tokens: Tokens | None = None
    classes: Float[Tensor, "rows classes"] | None = None


@dataclass(frozen=True)
class Outputs:
    """What a head says: scores before softmax.

    Attributes:
        logits: head `lm`: one row per place of `Tokens.place`, one column per vocabulary entry; head `classifier`: one
            row per training row, one column per class.
    """

    logits: Float[Tensor, "places scores"]


class Losses(NamedTuple):
    """What an objective returns.

    `losses` (rows,) has one value per row in nats; the step's loss is the sum of weight x loss over all rows of the
    step, divided by the sum of `units` (rows,). `state` is handed to the next call; `metrics` are means to show.
    """

    losses: Tensor
    units: Tensor
    state: Mapping[str, Any]
    metrics: Mapping[str, float]


@runtime_checkable
class Objective(Protocol):
    """A loss: frozen, without hidden state."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    def prepare(self, rows: Sequence[Any]) -> Mapping[str, Any]:
        """State made from all training rows before the first step: numbers and tensors only, it is checkpointed."""
        ...

    def __call__(self, outputs: Outputs, batch: Batch, progress: float, state: Mapping[str, Any]) -> Losses:
        """Losses of one micro-batch; `progress` is the share of steps done, from 0 to below 1."""
        ...

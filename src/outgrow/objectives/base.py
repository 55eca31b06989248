"""What a loss sees and what it gives back: one value per row, never reduced."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float, Int
from torch import Tensor

OfOptions = bool | Literal["if any"]
State = Mapping[str, Any]
"""What an objective keeps from step to step: tensors and plain JSON values by name. It is part of a checkpoint."""


@dataclass(frozen=True)
class Tokens:
    """The target tokens of a micro-batch for head `lm`, flat.

    An *answer* is one text that is scored after a prompt: a row with options has one per option, any other its target
    alone. Tokens of several answers may be predicted at the same place (the end of the prompt), so `place` points into
    the logits.

    Attributes:
        place: row of the logits that predicts each token.
        token: id of each token, end of sequence included.
        answer: the answer each token belongs to.
        row: the training row each answer belongs to; answers of a row stand together, in the order of its options.
        length: tokens of each answer.
        share: probability of each answer within its row; 1 for a hard row.
        soft: which rows have several answers.
        most: most answers of a row in the whole training, so that shapes do not depend on the micro-batch.
        word: the word each token belongs to, counted over the micro-batch (`outgrow.models.word_bridge`); None where no
            row has a weak model's token probabilities.
        word_logprob: of each token, the natural-log probability that a weak model gives its word; 0 where none does.
    """

    place: Int[Tensor, "tokens"]
    token: Int[Tensor, "tokens"]
    answer: Int[Tensor, "tokens"]
    row: Int[Tensor, "answers"]
    length: Int[Tensor, "answers"]
    share: Float[Tensor, "answers"]
    soft: Bool[Tensor, "rows"]
    most: int = 1
    word: Int[Tensor, "tokens"] | None = None
    word_logprob: Float[Tensor, "tokens"] | None = None


@dataclass(frozen=True)
class Scored:
    """The options of a micro-batch for head `reward`, flat; those of a row stand together.

    Attributes:
        row: the training row each option belongs to.
        share: probability of each option within its row.
        most: most options of a row in the whole training, so that shapes do not depend on the micro-batch.
    """

    row: Int[Tensor, "options"]
    share: Float[Tensor, "options"]
    most: int


@dataclass(frozen=True)
class Batch:
    """A micro-batch as an objective sees it.

    Attributes:
        row_ids: names of the rows.
        weight: weight of each row; the loop multiplies by it, an objective does not.
        normalise: `mean` over a row's target tokens or sum over them (`token`).
        tokens: the target tokens (head `lm`), else None.
        classes: probability of each class in each row (head `classifier`), else None.
        scored: the options (head `reward`), else None.
        fields: further numbers of each row by name (`TrainRow.fields`), such as what a reference model thinks of it.
        index: place of each row in `Targets`.
    """

    row_ids: tuple[str, ...]
    weight: Float[Tensor, "rows"]
    normalise: str
    tokens: Tokens | None = None
    classes: Float[Tensor, "rows classes"] | None = None
    fields: Mapping[str, Float[Tensor, "rows ..."]] = field(default_factory=dict)
    index: Int[Tensor, "rows"] | None = None
    scored: Scored | None = None


@dataclass(frozen=True)
class Outputs:
    """What a head says: scores before softmax.

    Attributes:
        logits: head `lm`: one row per place of `Tokens.place`, one column per vocabulary entry; head `classifier`: one
            row per training row, one column per class; head `reward`: one row per option of `Batch.scored`, one column.
    """

    logits: Float[Tensor, "places scores"]


@dataclass(frozen=True)
class Targets:
    """What the whole training set says, as `Objective.prepare` sees it; the same on every rank.

    Attributes:
        row_ids: names of the rows, in the order they were given.
        weight: weight of each row.
        options: of each row: the classes (head `classifier`), or what the row itself lists (`TrainRow.options`), or
            else its target alone.
        share: probability of each option, 0 behind a row's last.
    """

    row_ids: tuple[str, ...]
    weight: Float[np.ndarray, "rows"]
    options: tuple[tuple[str, ...], ...]
    share: Float[np.ndarray, "rows options"]


class Losses(NamedTuple):
    """What an objective returns; everything has one entry per row, in the batch's order.

    `losses` (rows,) are in nats; the step's loss is the sum of weight x loss over all rows of the step, divided by the
    sum of `units` (rows,). `metrics` (rows,) are shown in the training's history as means over the step's rows;
    `observed` (rows, ...) goes to `Objective.advance`. Neither carries gradients.
    """

    losses: Tensor
    units: Tensor
    metrics: Mapping[str, Tensor]
    observed: Mapping[str, Tensor]


@runtime_checkable
class Objective(Protocol):
    """A loss: frozen (a frozen dataclass, whose settings are its fields), without hidden state."""

    @property
    def name(self) -> str:
        """What reports call it."""
        ...

    @property
    def version(self) -> int:
        """1, and one more whenever its numbers change: results of another version are made anew."""
        ...

    @property
    def of_options(self) -> OfOptions:
        """Whether it weighs the options of a row against each other (`outgrow.objectives.choices`).

        Every row of head `lm` then needs options; with "if any" rows get those that their questions have. Otherwise a
        hard row is learned by its target alone.
        """
        ...

    @property
    def reading(self) -> str:
        """How a model trained by it is read afterwards: a name of `outgrow.models.readings`."""
        ...

    def prepare(self, targets: Targets) -> State:
        """State made from the whole training set before the first step."""
        ...

    def __call__(self, outputs: Outputs, batch: Batch, progress: float, state: State) -> Losses:
        """Losses of one micro-batch.

        Args:
            outputs: of the head.
            batch: the rows.
            progress: share of all optimiser steps done, from 0 to below 1.
            state: the same for all micro-batches of a step.
        """
        ...

    def advance(self, state: State, observed: Mapping[str, Tensor]) -> State:
        """State after an optimiser step.

        Args:
            state: before it.
            observed: of all rows of the step in the order of the step (rows, ...), whatever the micro-batches and
                ranks were, without gradients.
        """
        ...

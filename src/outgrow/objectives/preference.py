"""The DPO family: losses of one margin, by which the student prefers one of two answers to the other.

A pair is a row of two options. Its label says how probable each is the better one: (1 - f, f) for a chosen answer, a
rejected answer, and a probability f that the two stand the wrong way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

import numpy as np
from pydantic import Field

from outgrow.core.errors import ConfigError, DataError
from outgrow.objectives.of_choices import OfChoices

if TYPE_CHECKING:
    from torch import Tensor

    from outgrow.objectives.base import Batch, State
    from outgrow.objectives.options import Choices

Positive = Annotated[float, Field(gt=0)]
NotNegative = Annotated[float, Field(ge=0)]
NEAR_CERTAIN = -1e-6
"""Mean log-probabilities above this have no finite odds in single precision."""


@dataclass(frozen=True)
class OfPairs(OfChoices):
    """A loss per pair: `A` with the first answer as the chosen one, `B` with the second, and who is to be believed.

    With e the probability that the second answer is the better one: `(1 - e) A + e B`, or corrected
    `((1 - e) A - e B) / (1 - 2 e)`, which is on average the loss without flips (robust DPO, arXiv 2403.00409).

    Attributes:
        flips: what becomes of the probability that a pair stands the wrong way round: its `mixture`, or `corrected`.
        smoothing: probability of a flip that every pair has besides its own (conservative DPO), 0 to below 0.5.
        sft: weight of the negative log-likelihood of the chosen answer, a mean over its tokens.
    """

    needs_reference: ClassVar[bool] = False

    flips: Literal["mixture", "corrected"] = "mixture"
    smoothing: Annotated[float, Field(ge=0, lt=0.5)] = 0.0
    sft: NotNegative = 0.0

    def scores(self, view: Choices, batch: Batch) -> Tensor:
        """What the student makes of the two answers (rows, 2); their difference is the margin."""
        raise NotImplementedError

    def raw_scores(self, view: Choices) -> Tensor:
        """What the student would rather say (rows, 2), whatever a reference says."""
        return view.logits

    def margin_loss(self, margin: Tensor) -> Tensor:
        """Loss (rows,) in nats of a chosen answer that is ahead by `margin`."""
        return log_loss(margin)

    def prepare(self, targets: Any) -> State:
        """No state; the rows are checked.

        Raises:
            DataError: a row that has not two options, or where the two are equally good and flips are to be corrected.
        """
        for row_id, options in zip(targets.row_ids, targets.options, strict=True):
            if len(options) != 2:
                raise DataError(f"training row {row_id!r} has {len(options)} options; '{self.name}' compares pairs")
        even = np.abs(targets.share[:, 0] - 0.5) < 1e-6
        if self.flips == "corrected" and even.any():
            raise DataError(
                f"training row {targets.row_ids[int(np.flatnonzero(even)[0])]!r} says that either answer is as good; "
                "flips: corrected divides by how far a label is from that. Leave such pairs out, or take flips: mixture"
            )
        return {}

    def row_losses(self, view: Choices, batch: Batch, progress: float, state: State) -> Tensor:
        """As `OfChoices.row_losses`."""
        margin = self.margin(view, batch)
        nll = -view.logits / view.length
        first, second = (
            self.margin_loss(margin) + self.sft * nll[:, 0],
            self.margin_loss(-margin) + self.sft * nll[:, 1],
        )
        wrong = self.smoothing + (1 - 2 * self.smoothing) * view.target[:, 1]
        if self.flips == "mixture":
            return (1 - wrong) * first + wrong * second
        return ((1 - wrong) * first - wrong * second) / (1 - 2 * wrong)

    def monitor(self, view: Choices, batch: Batch) -> Mapping[str, Tensor]:
        """Of each pair as its label has it: margin, whether it is positive, and log-probabilities of both answers.

        With a reference also what they have gained against it, in nats.
        """
        turned = view.target[:, 0] < view.target[:, 1]
        margin = self.margin(view, batch)
        margin = margin.where(~turned, -margin)
        gained = {"logprob": view.logits}
        if "reference" in batch.fields:
            gained["gain"] = view.logits - batch.fields["reference"]
        both = {name: values.where(~turned[:, None], values.flip(1)) for name, values in gained.items()}
        return {
            "margin": margin,
            "preferred": (margin > 0).to(margin.dtype),
            **{f"{name}_chosen": values[:, 0] for name, values in both.items()},
            **{f"{name}_rejected": values[:, 1] for name, values in both.items()},
        }

    def margin(self, view: Choices, batch: Batch) -> Tensor:
        """By how much the student prefers the first answer (rows,)."""
        scores = self.scores(view, batch)
        return scores[:, 0] - scores[:, 1]


def log_loss(margin: Tensor) -> Tensor:
    """`-ln sigmoid(margin)` in nats."""
    return margin.new_zeros(margin.shape).logaddexp(-margin)


def against_reference(view: Choices, batch: Batch, name: str) -> Tensor:
    """Log-probabilities of the answers minus those of the reference, in nats (rows, 2).

    Raises:
        ConfigError: the rows have no field `reference`.
    """
    if "reference" not in batch.fields:
        raise ConfigError(
            f"'{name}' compares the student with a reference, and the rows have no log-probabilities of one; give "
            "lab.train(reference=...), or rows a field 'reference' (outgrow.training.reference)"
        )
    return view.logits - batch.fields["reference"]


@dataclass(frozen=True)
class BradleyTerry(OfPairs):
    """The loss of reward models (Bradley and Terry, 1952): the margin is the difference of two rewards.

    Of a label (1 - f, f) it is the cross-entropy of `sigmoid(r_1 - r_2)`, as of soft preferences of a weak model.
    """

    name: str = "bradley_terry"

    def scores(self, view: Choices, batch: Batch) -> Tensor:
        """As `OfPairs.scores`."""
        return view.logits


@dataclass(frozen=True)
class Dpo(OfPairs):
    """Direct preference optimisation (arXiv 2305.18290): the margin is that of implicit rewards.

    `beta [(ln p_c - ln ref_c) - (ln p_r - ln ref_r)]`; with `smoothing` conservative DPO, with `flips: corrected`
    robust DPO, with `length_normalise` means over tokens (arXiv 2411.15124; equation 1 of our notes on 2507.06187).

    Attributes:
        beta: how much a nat of difference counts; the larger, the nearer the student stays to its reference.
        length_normalise: divide log-probabilities by the answers' tokens.
    """

    needs_reference: ClassVar[bool] = True

    name: str = "dpo"
    beta: Positive = 0.1
    length_normalise: bool = False

    def scores(self, view: Choices, batch: Batch) -> Tensor:
        """As `OfPairs.scores`."""
        gained = against_reference(view, batch, self.name)
        return self.beta * (gained / view.length if self.length_normalise else gained)


@dataclass(frozen=True)
class Ipo(OfPairs):
    """Identity preference optimisation (arXiv 2310.12036, equation 17): the margin is led to `1 / (2 beta)`.

    Attributes:
        beta: the paper's tau.
        length_normalise: divide log-probabilities by the answers' tokens, as the authors' own results have it.
    """

    needs_reference: ClassVar[bool] = True

    name: str = "ipo"
    beta: Positive = 0.1
    length_normalise: bool = True

    def scores(self, view: Choices, batch: Batch) -> Tensor:
        """As `OfPairs.scores`."""
        gained = against_reference(view, batch, self.name)
        return gained / view.length if self.length_normalise else gained

    def margin_loss(self, margin: Tensor) -> Tensor:
        """As `OfPairs.margin_loss`."""
        return (margin - 1 / (2 * self.beta)).square()


@dataclass(frozen=True)
class SimPo(OfPairs):
    """SimPO (arXiv 2405.14734): mean log-probabilities, without a reference, that are to be `gamma` apart.

    Attributes:
        beta: how much a nat per token counts.
        gamma: what the margin should exceed.
    """

    name: str = "simpo"
    beta: Positive = 2.0
    gamma: NotNegative = 1.0

    def raw_scores(self, view: Choices) -> Tensor:
        """As `OfPairs.raw_scores`: means over tokens."""
        return view.logits / view.length

    def scores(self, view: Choices, batch: Batch) -> Tensor:
        """As `OfPairs.scores`."""
        return self.beta * view.logits / view.length

    def margin_loss(self, margin: Tensor) -> Tensor:
        """As `OfPairs.margin_loss`."""
        return log_loss(margin - self.gamma)


@dataclass(frozen=True)
class Orpo(OfPairs):
    """ORPO (arXiv 2403.07691): likelihood of the chosen answer, and its odds against those of the rejected one.

    Attributes:
        beta: weight of the odds ratio, the paper's lambda.
    """

    name: str = "orpo"
    beta: Positive = 0.1
    sft: NotNegative = 1.0

    def scores(self, view: Choices, batch: Batch) -> Tensor:
        """As `OfPairs.scores`: log odds of the mean log-probability of a token."""
        mean = (view.logits / view.length).clamp(max=NEAR_CERTAIN)
        return mean - (-mean.expm1()).log()

    def margin_loss(self, margin: Tensor) -> Tensor:
        """As `OfPairs.margin_loss`."""
        return self.beta * log_loss(margin)

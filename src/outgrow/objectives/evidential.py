"""Evidential losses: scores as evidence for classes, a Dirichlet distribution over what the label might be.

arXiv 2406.03199 (equations 2 to 7 of our notes), after arXiv 1806.01768. With evidence e = g(z) >= 0 the concentrations
are alpha = e + 1; p = alpha / S with S = sum alpha, and K / S is the vacuity: 1 where there is no evidence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from outgrow.objectives.of_choices import OfChoices, hardest, ramp

if TYPE_CHECKING:
    from torch import Tensor

    from outgrow.objectives.base import Batch, State
    from outgrow.objectives.options import Choices

Evidence = Literal["exp", "softplus", "relu"]
Share = Annotated[float, Field(ge=0, le=1)]
LARGE = 50.0
"""From here on series of the gamma function are exact to 1e-9."""
HALF_LN_2_PI = math.log(2 * math.pi) / 2


@dataclass(frozen=True)
class Evidential(OfChoices):
    """Type-II likelihood of the label under a Dirichlet distribution, and a penalty on evidence for other labels.

    `L(z, y) = sum_k y_k [ln S - ln alpha_k + lambda KL(Dir(alpha with alpha_k = 1) | Dir(1))]`: a soft label counts as
    the share of draws that each class got, so labels of several supervisors may be averaged before. lambda rises from
    0 to `kl` over the first `anneal` of the steps. The head is read by its concentrations (`outgrow.models.readings`);
    z of head `lm` are the scores of the options' first tokens, each of which is an option's only one.

    Attributes:
        evidence: g, `exp`, `softplus` or `relu` (which teaches nothing where a score is negative).
        kl: the penalty's weight in the end; 0 leaves it out.
        anneal: share of the steps over which it rises.
        inside: put a soft label inside the penalty, `alpha~ = y + (1 - y) alpha`, instead of summing over classes; the
            same for hard labels.
        confidence: weight of the same loss against the student's own prediction, which rises over `warmup`.
        warmup: share of the steps over which it rises.
    """

    name: str = "evidential"
    evidence: Evidence = "exp"
    kl: Annotated[float, Field(ge=0)] = 1.0
    anneal: Share = 1.0
    inside: bool = False
    confidence: Share = 0.0
    warmup: Share = 0.25

    @property
    def reading(self) -> str:  # type: ignore[override]
        """Read by concentrations of the same evidence."""
        return f"dirichlet_{self.evidence}"

    def row_losses(self, view: Choices, batch: Batch, progress: float, state: State) -> Tensor:
        """As `OfChoices.row_losses`."""
        weight = self.kl * ramp(progress, self.anneal)
        loss = self._loss(view, view.target, weight)
        if not self.confidence:
            return loss
        share = self.confidence * ramp(progress, self.warmup)
        return (1 - share) * loss + share * self._loss(view, hardest(view.logits.detach()), weight)

    def _loss(self, view: Choices, target: Tensor, weight: float) -> Tensor:
        alpha = concentrations(view.logits, view.mask, self.evidence)
        loss: Tensor = (target * (alpha.sum(1, keepdim=True).log() - alpha.clamp_min(1.0).log())).sum(1)
        if not weight:
            return loss
        if self.inside:
            return loss + weight * kl_from_uniform((target + (1 - target) * alpha) * view.mask, view.mask)
        return loss + weight * (target * kl_without_each(alpha, view.mask)).sum(1)


def concentrations(scores: Tensor, mask: Tensor, evidence: Evidence) -> Tensor:
    """Alpha = g(z) + 1 (rows, K); 0 where a row has no such option."""
    if evidence == "exp":
        amount = scores.clamp(max=80.0 if scores.element_size() == 4 else 700.0).exp()
    elif evidence == "relu":
        amount = scores.clamp_min(0.0)
    else:
        amount = scores.new_zeros(()).logaddexp(scores)
    return (amount + 1) * mask


def kl_from_uniform(alpha: Tensor, mask: Tensor) -> Tensor:
    """KL(Dir(alpha) | Dir(1)) in nats, (rows,); alpha is 0 where there is no such option."""
    alpha = alpha.where(mask, alpha.new_ones(()))  # a concentration of 1 adds nothing but its count
    count = mask.sum(1).to(alpha.dtype)
    return _of_total((alpha * mask).sum(1), count) + _of_each(alpha).sum(1)


def kl_without_each(alpha: Tensor, mask: Tensor) -> Tensor:
    """For every class KL(Dir(alpha with that class's concentration 1) | Dir(1)) in nats, (rows, K)."""
    alpha = alpha.where(mask, alpha.new_ones(()))
    total = 1 + _before(alpha * mask) + _before((alpha * mask).flip(1)).flip(1)  # no difference of large numbers
    each = _of_each(alpha)
    return _of_total(total, mask.sum(1, keepdim=True).to(alpha.dtype)) + each.sum(1, keepdim=True) - each


def _before(amounts: Tensor) -> Tensor:
    """Sums of what stands before each (rows, K)."""
    return amounts.new_zeros(amounts.shape).slice_scatter(amounts[:, :-1].cumsum(1), 1, 1)


def _of_each(alpha: Tensor) -> Tensor:
    """`(alpha - 1) psi(alpha) - ln Gamma(alpha) - alpha + 1`: what a concentration adds to the divergence.

    The terms that grow with the concentration cancel against those of the total, so where it is large this is a series
    without them: differences of large numbers would leave nothing of the gradient.
    """
    far = alpha > LARGE
    near = alpha.where(~far, alpha.new_full((), LARGE))
    direct = (near - 1) * near.digamma() - near.lgamma() - near + 1
    if not bool(far.any()):
        return direct
    large = alpha.where(far, alpha.new_full((), LARGE))
    r = 1 / large
    return direct.where(~far, 0.5 - HALF_LN_2_PI - 0.5 * large.log() + r * (1 / 3 + r * (1 / 12 + r / 90)))


def _of_total(total: Tensor, count: Tensor) -> Tensor:
    """`ln Gamma(S) - (S - K) psi(S) + S - K - ln Gamma(K)`: what the total adds; as `_of_each`."""
    far = total > LARGE
    large = total.where(far, total.new_full((), LARGE))
    r = 1 / large
    series = (count - 0.5) * large.log() + HALF_LN_2_PI + 0.5
    value = series + r * (1 / 6 - count / 2 - r * (count / 12 + r * (1 / 90 - r * count / 120)))
    if not bool(far.all()):
        near = total.where(~far, total.new_full((), LARGE))
        value = value.where(far, near.lgamma() - (near - count) * near.digamma() + near)
    return value - count - count.lgamma()

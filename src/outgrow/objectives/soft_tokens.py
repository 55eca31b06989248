"""Losses against what a weak model makes of each word: soft targets of tokens, across tokenizers (arXiv 2406.03199).

A word's weak probability is shared among the student's tokens of it, so that their soft targets multiply to it
(`outgrow.models.word_bridge`). A soft target s of token y stands for the distribution with s at y and the student's own
proportions elsewhere; its divergence from the student is that of two outcomes, y or not, so no target as wide as the
vocabulary is needed (equation 10 of our notes).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from outgrow.core.errors import ConfigError
from outgrow.objectives.evidential import Evidence, kl_without_each
from outgrow.objectives.of_choices import ramp

if TYPE_CHECKING:
    from torch import Tensor

    from outgrow.objectives.base import Batch, Losses, State, Tokens

Share = Annotated[float, Field(ge=0, le=1)]
CLOSEST = 1e-7
"""How near a probability is taken to be to 1 at most."""


@dataclass(frozen=True)
class SoftTokens:
    """Divergence of the student's tokens from soft targets; where no weak model has spoken, cross-entropy.

    Per token `s ln(s / p) + (1 - s) ln((1 - s) / (1 - p))` with p the student's probability of it; targets carry no
    gradient. A row's loss is the mean over its tokens (definition 5).

    Attributes:
        shares: who of a word's tokens takes how much of what the word lacks: those of which the student is unsure
            take more (`unsure`), or all the same (`even`).
        temperature: of these shares, `softmax(-max_v p(v) / temperature)` within the word.
        confidence: weight of the same loss against the student's own most probable token, once it has risen.
        warmup: share of the steps over which it rises.
    """

    version: ClassVar[int] = 1
    of_options: ClassVar[bool] = False

    name: str = "soft_tokens"
    shares: Literal["unsure", "even"] = "unsure"
    temperature: Annotated[float, Field(gt=0)] = 1.0
    confidence: Share = 0.0
    warmup: Share = 0.25

    @property
    def reading(self) -> str:
        """Tokens are read by softmax."""
        return "softmax"

    def prepare(self, targets: Any) -> State:
        """No state."""
        return {}

    def advance(self, state: State, observed: Any) -> State:
        """No state."""
        return state

    def __call__(self, outputs: Any, batch: Batch, progress: float, state: State) -> Losses:
        """See `outgrow.objectives.base.Objective`.

        Raises:
            ConfigError: the head is another than `lm`.
        """
        from outgrow.objectives.base import Losses
        from outgrow.objectives.losses import row_units

        return Losses(self.row_losses(outputs, batch, progress), row_units(batch), {}, {})

    def row_losses(self, outputs: Any, batch: Batch, progress: float) -> Tensor:
        """Losses (rows,) in nats."""
        tokens = batch.tokens
        if tokens is None:
            raise ConfigError(f"{self.name} is a loss of tokens, for head 'lm' alone")
        scores = outputs.logits[tokens.place].float()
        logs = scores.log_softmax(1)
        target = self._targets(logs.detach(), tokens)
        loss = self.token_losses(scores, logs, tokens.token, target, progress)
        if self.confidence:
            share = self.confidence * ramp(progress, self.warmup)
            sure = self.token_losses(scores, logs, logs.argmax(1), target * 0, progress)
            loss = (1 - share) * loss + share * sure
        row = tokens.row[tokens.answer]
        zeros = loss.detach().new_zeros(len(batch.weight))
        sums = zeros.index_add(0, row, loss)
        return sums / zeros.index_add(0, row, loss.detach() * 0 + 1) if batch.normalise == "mean" else sums

    def _targets(self, logs: Tensor, tokens: Tokens) -> Tensor:
        """Natural logarithm of each token's soft target; 0 where no weak model has spoken."""
        if tokens.word is None or tokens.word_logprob is None:
            return logs.new_zeros(len(tokens.token))
        unsure = (-logs.amax(1).exp() / self.temperature).exp() if self.shares == "unsure" else logs[:, 0] * 0 + 1
        words = int(tokens.word.max()) + 1
        total = logs.new_zeros(words).index_add(0, tokens.word, unsure)
        return unsure / total[tokens.word] * tokens.word_logprob

    def token_losses(self, scores: Tensor, logs: Tensor, token: Tensor, target: Tensor, progress: float) -> Tensor:
        """Losses (tokens,) in nats.

        Args:
            scores: of the vocabulary (tokens, V).
            logs: natural logarithm of its probabilities.
            token: which one is the target.
            target: natural logarithm of its soft target.
            progress: share of the steps done.
        """
        return two_outcomes(target, logs.gather(1, token[:, None])[:, 0])


@dataclass(frozen=True)
class EvidentialTokens(SoftTokens):
    """The student's scores as evidence for tokens, and a penalty on evidence for others than the soft target.

    A token's probability is alpha / S (`outgrow.models.token_readings`), and the penalty of `Evidential` is added,
    summed over the vocabulary by what the soft target says of each token.

    Attributes:
        evidence: g, `exp`, `softplus` or `relu` (which teaches nothing where a score is negative).
        kl: weight of the penalty in the end; 0 leaves it out. It grows with the vocabulary.
        anneal: share of the steps over which it rises.
    """

    name: str = "evidential_tokens"
    evidence: Evidence = "exp"
    kl: Annotated[float, Field(ge=0)] = 1e-4
    anneal: Share = 1.0

    @property
    def reading(self) -> str:
        """Tokens are read by concentrations of the same evidence."""
        return f"tokens_dirichlet_{self.evidence}"

    def token_losses(self, scores: Tensor, logs: Tensor, token: Tensor, target: Tensor, progress: float) -> Tensor:
        """As `SoftTokens.token_losses`; the scores are ln alpha."""
        loss = super().token_losses(scores, logs, token, target, progress)
        weight = self.kl * ramp(progress, self.anneal)
        if not weight:
            return loss
        alpha = scores.clamp(max=80.0).exp()
        soft = spread(logs.detach(), token, target)
        return loss + weight * (soft * kl_without_each(alpha, alpha.detach() > 0)).sum(1)


def two_outcomes(target: Tensor, log: Tensor) -> Tensor:
    """KL((s, 1 - s) | (p, 1 - p)) in nats, from the natural logarithms of s and p."""
    log = log.clamp(max=-CLOSEST)
    rest = -target.expm1()
    entropy = (target.exp() * target) + (rest * rest.clamp_min(1e-38).log())
    return entropy - target.exp() * log - rest * (-log.expm1()).log()


def spread(logs: Tensor, token: Tensor, target: Tensor) -> Tensor:
    """What a soft target stands for (tokens, V): s at the token, elsewhere the proportions of the student."""
    own = logs.exp().scatter(1, token[:, None], 0.0)
    rest = own.sum(1, keepdim=True).clamp_min(1e-38)
    return (own * (-target.expm1())[:, None] / rest).scatter(1, token[:, None], target.exp()[:, None])

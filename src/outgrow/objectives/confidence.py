"""The auxiliary confidence loss (arXiv 2312.09390), for K classes and for the tokens of a language model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from outgrow.objectives.of_choices import OfChoices, cross_entropy, hardest, ramp

if TYPE_CHECKING:
    from torch import Tensor

    from outgrow.objectives.base import Batch, Losses, OfOptions, State, Tokens
    from outgrow.objectives.options import Choices

Share = Annotated[float, Field(ge=0, le=1)]


@dataclass(frozen=True)
class Confidence(OfChoices):
    """Trust the label less and the student's own hardened prediction more as training goes on.

    `L = (1 - a) CE(p, label) + a CE(p, hardened p)`, the second target without gradient; a rises linearly to `alpha`
    over the first `warmup` of the steps. With `balance` the hardened predictions have the class shares of the weak
    labels: thresholds come from the training set's labels and the student's predictions of the last steps, so that
    neither the batch nor its micro-batches decide. Where questions have options of their own there are no class
    shares, and the highest probability decides.

    Attributes:
        alpha: weight of the student's own prediction; the paper has 0.75 for its largest students, 0.5 for the others.
        warmup: share of the steps over which it rises.
        balance: harden to the class shares of the labels.
        hard: False takes the prediction as it is, which makes the second term the student's entropy.
        window: how many of the last rows thresholds come from; with 256 rows they lag behind, and students fell apart.
        level: `options` weighs a row's options; `tokens` takes a text's tokens, each hardened by itself; `auto` weighs
            options where rows have them.
    """

    name: str = "confidence"
    alpha: Share = 0.5
    warmup: Share = 0.2
    balance: bool = True
    hard: bool = True
    window: Annotated[int, Field(ge=1)] = 64
    level: Literal["auto", "options", "tokens"] = "auto"

    @property
    def of_options(self) -> OfOptions:
        """Whether rows get and need options."""
        return "if any" if self.level == "auto" else self.level == "options"

    def prepare(self, targets: Any) -> State:
        """The labels' class shares, no prediction, and offsets of 0."""
        from outgrow.objectives.hardening import class_prior

        prior = class_prior(targets) if self.balance and self.level != "tokens" else None
        if prior is None:
            return {}
        import torch

        found = torch.from_numpy(prior)
        return {"prior": found, "recent": torch.zeros(0, len(prior)), "offsets": torch.zeros(len(prior))}

    def row_losses(self, view: Choices, batch: Batch, progress: float, state: State) -> Tensor:
        """As `OfChoices.row_losses`."""
        own = view.logs.detach()
        second = hardest(own + state.get("offsets", 0.0)) if self.hard else own.exp()
        alpha = self.alpha * ramp(progress, self.warmup)
        return (1 - alpha) * cross_entropy(view.target, view.logs) + alpha * cross_entropy(second, view.logs)

    def observe(self, view: Choices, batch: Batch, state: State) -> Mapping[str, Tensor]:
        """What the student says."""
        return {"logs": view.logs.detach()} if "prior" in state else {}

    def advance(self, state: State, observed: Mapping[str, Tensor]) -> State:
        """Offsets from the last rows."""
        if "logs" not in observed:
            return state
        import torch

        from outgrow.objectives.hardening import offsets

        recent = torch.cat([state["recent"], observed["logs"]])[-self.window :]
        found = offsets(recent.cpu().numpy(), state["prior"].cpu().numpy())
        return {**state, "recent": recent, "offsets": torch.from_numpy(found).to(recent)}

    def __call__(self, outputs: Any, batch: Batch, progress: float, state: State) -> Losses:
        """See `outgrow.objectives.base.Objective`."""
        if batch.tokens is None or self.level == "options" or (self.level == "auto" and bool(batch.tokens.soft.any())):
            return super().__call__(outputs, batch, progress, state)
        from outgrow.objectives.base import Losses
        from outgrow.objectives.losses import row_units

        return Losses(self._of_tokens(outputs.logits, batch, batch.tokens, progress), row_units(batch), {}, {})

    def _of_tokens(self, logits: Tensor, batch: Batch, tokens: Tokens, progress: float) -> Tensor:
        from torch.nn import functional

        from outgrow.core.errors import ConfigError

        if bool(tokens.soft.any()):
            raise ConfigError("level: tokens learns texts, but some rows are a choice of options; use level: auto")
        logs = logits[tokens.place].float().log_softmax(1)
        own = logs.detach()
        second = cross_entropy(hardest(own) if self.hard else own.exp(), logs)
        alpha = self.alpha * ramp(progress, self.warmup)
        per_token = (1 - alpha) * functional.nll_loss(logs, tokens.token, reduction="none") + alpha * second
        if batch.normalise == "mean":
            per_token = per_token / tokens.length[tokens.answer]
        return (batch.weight * 0).index_add(0, tokens.row[tokens.answer], per_token)

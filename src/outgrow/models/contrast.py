"""Several causal models as one: scores of a base, moved along the difference of two others.

`z_base + alpha (z_plus - z_minus)` (arXiv 2405.19262, 2607.26246): what changed from `minus` to `plus` is added to a
third model, token by token. The models must have one vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from jaxtyping import Float
from torch import Tensor, nn

from outgrow.core.errors import ConfigError
from outgrow.models.batching import Sequences
from outgrow.models.heads import Abilities, LanguageHead
from outgrow.models.loaded import Loaded


class SeveralCaches:
    """What earlier positions left in each of several models."""

    def __init__(self, caches: Sequence[Any]) -> None:
        self.caches = caches

    @property
    def layers(self) -> list[Any]:
        """The layers of all of them."""
        return [layer for cache in self.caches for layer in cache.layers]


class ContrastHead(LanguageHead):
    """A base model, and two others whose difference is added to its scores.

    Args:
        heads: base, plus, minus.
        alpha: how much of the difference is added.
    """

    def __init__(self, heads: Sequence[LanguageHead], alpha: float) -> None:
        nn.Module.__init__(self)
        self.heads = nn.ModuleList(heads)
        self.alpha, base = alpha, heads[0]
        self.model, self.pad, self.whole, self._last = base.model, base.pad, False, (None,)
        windows = [head.abilities.window for head in heads if head.abilities.window is not None]
        self.abilities = Abilities(
            unmasked=all(head.abilities.unmasked for head in heads),
            share=all(head.abilities.share for head in heads),
            grow=all(head.abilities.grow for head in heads),
            window=min(windows, default=None),
            batch="single",  # none of them writes texts of all by its own `generate`
        )

    def forward(self, batch: Sequences, cache: Any = None) -> Float[Tensor, "places vocabulary"]:
        """Scores before softmax at `batch.places`."""
        caches = [None] * len(self.heads) if cache is None else cache.caches
        heads: list[Any] = list(self.heads)
        base, plus, minus = (head(batch, own).float() for head, own in zip(heads, caches, strict=True))
        scores: Tensor = base + self.alpha * (plus - minus)
        return scores

    def new_cache(self, room: int) -> SeveralCaches:
        """As `LanguageHead.new_cache`, one for each."""
        heads: list[Any] = list(self.heads)
        return SeveralCaches([head.new_cache(room) for head in heads])


def contrast(base: Loaded, plus: Loaded, minus: Loaded, alpha: float) -> Loaded:
    """The three models as one, which scores and writes texts; it cannot be trained.

    Raises:
        ConfigError: one of them has another head than `lm`, or another vocabulary than the base.
    """
    for other in (base, plus, minus):
        if not isinstance(other.head, LanguageHead):
            raise ConfigError(f"{other.ref.model} has head '{other.ref.head}'; a contrast is of models with head 'lm'")
        if other.tokenizer.get_vocab() != base.tokenizer.get_vocab():
            raise ConfigError(
                f"{other.ref.model} and {base.ref.model} have other vocabularies, and a contrast adds the scores of "
                "their tokens; take models of one family"
            )
    heads = [each.head for each in (base, plus, minus) if isinstance(each.head, LanguageHead)]
    whole = ContrastHead(heads, alpha)
    whole.eval()
    return replace(base, head=whole, adapter=None)

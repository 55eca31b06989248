"""What sits on a transformer: the language-model head at the places that matter, and the classifier."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn

from outgrow.core.errors import ConfigError
from outgrow.models.batching import Group, Sequences
from outgrow.models.caching import roomy_cache
from outgrow.models.trimming import last_feed_forward, only_at


@dataclass(frozen=True)
class Abilities:
    """What a causal model was found to allow; each is checked by comparing numbers, not by its name.

    Attributes:
        direct: its scores are the output embedding applied to the last hidden state, so the head can be
            applied at answer places only; not so with soft-capped or rescaled scores.
        unmasked: padding on the right changes nothing before it.
        share: answers may share their prompt in one sequence (needs masks per pair of positions and position ids).
        window: longest sequence for which `share` and `grow` hold, where layers look back over a window; None: any.
        grow: several texts may grow from their prompt in one sequence, with a cache.
        trim: the last layer's feed-forward part is needed at answer places only.
        batch: which prompts may be together where texts do not grow: any, `padded` on the left; those of `equal`
            length; or each is `single`, as its own `generate` gives other texts than its scores.
    """

    direct: bool = False
    unmasked: bool = False
    share: bool = False
    window: int | None = None
    grow: bool = False
    trim: bool = False
    batch: Literal["padded", "equal", "single"] = "padded"


class LanguageHead(nn.Module):
    """A causal language model asked for its scores at chosen places.

    Args:
        model: a `transformers` model for causal language modelling.
        pad: a valid token id for padding.
    """

    def __init__(self, model: Any, pad: int) -> None:
        super().__init__()
        self.model = model
        self.pad = pad
        self.abilities = Abilities()
        self.whole = False  # compute all positions of all layers
        self._hook: Any = None
        self._last = (last_feed_forward(model),)  # in a tuple, so that it is no second child

    def forward(self, batch: Sequences, cache: Any = None) -> Float[Tensor, "places vocabulary"]:
        """Scores before softmax at `batch.places`; `cache` holds earlier positions, and these are added to it."""
        arguments: dict[str, Any] = {"input_ids": batch.ids, "use_cache": cache is not None}
        if cache is not None:
            arguments["past_key_values"] = cache
        if batch.mask is not None:
            mask, dtype = batch.mask, self.model.dtype
            if mask.is_floating_point() and mask.dtype != dtype:
                mask = mask.clamp_min(torch.finfo(dtype).min).to(dtype)
            arguments["attention_mask"] = mask
        if batch.positions is not None:
            arguments["position_ids"] = batch.positions
        (last,) = self._last
        if last is None or self.whole or not self.abilities.trim or len(batch.places) == batch.ids.numel():
            return self._at(batch.places, arguments)
        with only_at(batch.places, last):
            return self._at(batch.places, arguments)

    def _at(self, places: Tensor, arguments: dict[str, Any]) -> Tensor:
        if self.abilities.direct:
            backbone = getattr(self.model, self.model.base_model_prefix)
            hidden = backbone(**arguments).last_hidden_state
            scores: Tensor = self.model.get_output_embeddings()(hidden.flatten(0, 1)[places])
            return scores
        logits: Tensor = self.model(**arguments).logits
        return logits.flatten(0, 1)[places]

    def read_by(self, scores: Callable[[Tensor], Tensor] | None) -> None:
        """Let `scores` of the model's own stand for these from now on, in training and wherever it writes.

        Raises:
            ConfigError: the model goes on computing behind its output layer.
        """
        if self._hook is not None:
            self._hook.remove()
            self._hook = None
        if scores is None:
            return
        if not self.abilities.direct:
            raise ConfigError(
                "this model caps or scales its scores, so they cannot be read as evidence; train it with evidence: null"
            )
        self._hook = self.model.get_output_embeddings().register_forward_hook(lambda _, __, own: scores(own))

    def new_cache(self, room: int) -> Any:
        """What earlier positions will leave, with room for so many in all."""
        return roomy_cache(room)

    def shares(self, groups: Sequence[Group]) -> bool:
        """Whether answers to these prompts may share them in one sequence."""
        can = self.abilities
        return can.share and (can.window is None or max((group.longest() for group in groups), default=0) <= can.window)

    @torch.no_grad()
    def random(self) -> bool:
        """Whether training draws numbers, as dropout does: prompts that share positions would share the draws.

        Scores alone do not tell: the product of a new adapter is zero, with dropout or without.
        """
        if any(isinstance(module, nn.Dropout) and module.p > 0 for module in self.modules()):
            return True
        training = self.training
        self.train()
        ids = (
            torch.arange(8, device=next(self.model.parameters()).device)[None]
            % self.model.config.get_text_config().vocab_size
        )
        found = []
        with torch.random.fork_rng():
            for seed in (1, 2):
                torch.manual_seed(seed)
                found.append(self(Sequences(ids, None, None, ids[0])))
        self.train(training)
        return not torch.equal(*found)


class ClassifierHead(nn.Module):
    """A transformer without its language-model head, a pooled hidden state, and one linear layer: classes, or a reward.

    Args:
        backbone: a `transformers` base model.
        classes: number of classes.
        pooling: `cls` first token, `mean` over tokens, `last` token.
        seed: of the layer's weights, normal with standard deviation 0.02; biases are 0.
    """

    def __init__(self, backbone: Any, classes: int, pooling: str, seed: int) -> None:
        super().__init__()
        self.model = backbone
        self.pooling = pooling
        self.dropout = nn.Dropout(float(getattr(backbone.config, "hidden_dropout_prob", 0.0) or 0.0))
        self.linear = nn.Linear(int(backbone.config.get_text_config().hidden_size), classes, bias=classes > 1)
        with torch.no_grad():
            self.linear.weight.normal_(0.0, 0.02, generator=torch.Generator().manual_seed(seed))
            if classes > 1:  # of rewards only differences count
                self.linear.bias.zero_()

    @torch.no_grad()
    def start_from(self, rows: Float[Tensor, "classes width"]) -> None:
        """Begin with these weights, one row per class."""
        self.linear.weight.copy_(rows)

    def forward(self, batch: Sequences) -> Float[Tensor, "sequences classes"]:
        """Scores before softmax; `batch.mask` marks real positions."""
        mask = torch.ones_like(batch.ids) if batch.mask is None else batch.mask
        hidden = self.model(input_ids=batch.ids, attention_mask=mask).last_hidden_state
        scores: Tensor = self.linear(self.dropout(pooled(hidden, mask, self.pooling).to(self.linear.weight.dtype)))
        return scores


def pooled(
    hidden: Float[Tensor, "n length width"], mask: Int[Tensor, "n length"], pooling: str
) -> Float[Tensor, "n width"]:
    """The first token (`cls`), the last one (`last`), or the `mean` over the tokens that `mask` marks."""
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "last":
        return hidden[torch.arange(len(hidden), device=hidden.device), mask.sum(1) - 1]
    weights = mask.to(hidden.dtype)[:, :, None]
    return (hidden * weights).sum(1) / weights.sum(1)


class SequenceClassifier(nn.Module):
    """A model that comes with its own classifier for exactly the classes asked for.

    Args:
        model: a `transformers` model for sequence classification.
        order: for each of our classes, the model's own index.
    """

    def __init__(self, model: Any, order: Sequence[int]) -> None:
        super().__init__()
        self.model = model
        self.register_buffer("order", torch.tensor(list(order)), persistent=False)

    def forward(self, batch: Sequences) -> Float[Tensor, "sequences classes"]:
        """Scores before softmax, in our order of classes."""
        mask = torch.ones_like(batch.ids) if batch.mask is None else batch.mask
        scores: Tensor = self.model(input_ids=batch.ids, attention_mask=mask).logits[:, self.order]
        return scores

"""How a language model's scores become probabilities of tokens: by softmax, or as evidence of a Dirichlet distribution.

With evidence e = g(z) >= 0 for every token of the vocabulary the concentrations are alpha = e + 1, and a token's
probability is alpha / S. That is the softmax of ln alpha, so a model read by its evidence is the same model with
ln(1 + g(z)) for its scores: it is trained, scored and made to write like any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from torch import Tensor
from torch.nn import functional

from outgrow.models.heads import LanguageHead

if TYPE_CHECKING:
    from outgrow.models.loaded import Loaded


def _exp(scores: Tensor) -> Tensor:
    return functional.softplus(scores.float())


def _softplus(scores: Tensor) -> Tensor:
    return functional.softplus(scores.float()).log1p()


def _relu(scores: Tensor) -> Tensor:
    return scores.float().relu().log1p()


TOKEN_READINGS: Mapping[str, Callable[[Tensor], Tensor]] = {
    "tokens_dirichlet_exp": _exp, "tokens_dirichlet_softplus": _softplus, "tokens_dirichlet_relu": _relu,
}  # fmt: skip
"""ln alpha from scores, by the name that `Objective.reading` and saved models give."""


def read_by(loaded: Loaded, reading: str) -> None:
    """Read a model as `reading` says; one that has learnt to write by evidence goes on doing so under "softmax".

    Raises:
        ConfigError: a language model caps or scales its scores.
    """
    if loaded.reading in TOKEN_READINGS and reading == "softmax":
        return
    if reading in TOKEN_READINGS:
        assert isinstance(loaded.head, LanguageHead)
        loaded.head.read_by(TOKEN_READINGS[reading])
    loaded.reading = reading

"""The last layer's feed-forward part at the places whose scores are read, and nowhere else.

No later layer looks at what it makes of the other positions, so nothing but last bits changes. With short answers to
long prompts that saves most of two thirds of a layer, forward and backward.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

NAMES = ("mlp", "feed_forward", "ffn")
"""What architectures call the part of a layer that treats every position by itself."""


def last_feed_forward(model: Any) -> nn.Module | None:
    """That part of the last layer; None where it has no name of its own."""
    kinds = set(getattr(model, "_no_split_modules", None) or ())
    layers = [module for module in model.modules() if type(module).__name__ in kinds]
    parts = [getattr(layers[-1], name, None) for name in NAMES] if layers else []
    return next((part for part in parts if isinstance(part, nn.Module)), None)


@contextmanager
def only_at(places: Tensor, part: nn.Module) -> Iterator[None]:
    """Inside, `part` computes these flat positions of (sequences, length, width) alone; elsewhere it gives zeros.

    Raises:
        TypeError: what it takes or gives is not one tensor.
    """
    own: Tensor = places.unique()  # type: ignore[no-untyped-call]  # prompts that are the same end at the same place
    whole: list[tuple[int, ...]] = []

    def gather(module: nn.Module, given: tuple[Tensor]) -> tuple[Tensor]:
        (hidden,) = given
        whole.append(hidden.shape)
        return (hidden.flatten(0, 1)[own][None],)

    def scatter(module: nn.Module, given: tuple[Tensor], made: Any) -> Tensor:
        if not isinstance(made, Tensor):
            raise TypeError(f"{type(module).__name__} gives {type(made).__name__}")
        count, length, width = whole.pop()
        return made.new_zeros(count * length, width).index_copy(0, own, made[0]).view(count, length, width)

    hooks = [part.register_forward_pre_hook(gather), part.register_forward_hook(scatter)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()

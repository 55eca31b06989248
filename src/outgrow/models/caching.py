"""Keys and values that earlier positions left, in buffers with room for all that will follow."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicLayer


class RoomyLayer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer's keys and values, (sequences, heads, positions, width); what is new is copied, what is there stays.

    `DynamicLayer` makes a new tensor of everything at every step, which costs as much as the step itself.

    Args:
        room: positions in all.
    """

    def __init__(self, room: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.room, self.used = room, 0

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        """Make the buffers, once the first states tell their shapes."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self._buffers = [
            states.new_empty((*states.shape[:2], self.room, states.shape[3])) for states in (key_states, value_states)
        ]
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Append states; returns all that are there."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        start, self.used = self.used, self.used + key_states.shape[-2]
        for buffer, states in zip(self._buffers, (key_states, value_states), strict=True):
            buffer[:, :, start : self.used] = states
        return self._show()

    def keep(self, sequences: Tensor) -> None:
        """Drop all other sequences."""
        kept = []
        for buffer in self._buffers:
            smaller = buffer.new_empty((len(sequences), *buffer.shape[1:]))
            smaller[:, :, : self.used] = buffer[sequences, :, : self.used]
            kept.append(smaller)
        self._buffers = kept
        self._show()

    def _show(self) -> tuple[Tensor, Tensor]:
        keys, values = (buffer[:, :, : self.used] for buffer in self._buffers)
        self.keys, self.values = keys, values
        return keys, values


def roomy_cache(room: int) -> Cache:
    """A cache for sequences of at most `room` positions."""
    kind: Any = partial(RoomyLayer, room)
    return Cache(layer_class_to_replicate=kind)


def keep(cache: Any, sequences: Sequence[int]) -> None:
    """Drop all other sequences of a cache (or several as one, `layers`) made by `roomy_cache`."""
    index = torch.tensor(list(sequences))
    for layer in cache.layers:
        assert isinstance(layer, RoomyLayer)
        layer.keep(index.to(layer.device))

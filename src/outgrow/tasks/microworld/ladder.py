"""The ladder of base models that read about the world: how much each has read, and its shape."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rung:
    """One base model of the ladder: how much it reads and how large it is."""

    name: str
    share: float  # of the facts, read in training text
    hidden: int
    layers: int
    heads: int
    tokens: int  # of training text
    learning_rate: float
    characters: bool = False  # a token a character, four times the context
    seed: int = 0  # of first weights and text, where the usual one did not learn to copy or to compare


LADDER = {
    rung.name: rung
    for rung in (
        Rung("nano", 0.25, 32, 2, 2, 3_000_000, 6e-3),
        Rung("mini", 0.5, 64, 2, 4, 8_000_000, 4e-3),
        Rung("small", 0.75, 112, 3, 4, 5_000_000, 3e-3),
        Rung("base", 1.0, 160, 3, 4, 6_000_000, 2.5e-3),
    )
}

"""The second ladder: models of one size that read different facts, and one that reads characters."""

from __future__ import annotations

from outgrow.tasks.microworld.ladder import Rung

LADDER = {
    rung.name: rung
    for rung in (
        Rung("nano", 0.25, 32, 2, 2, 4_000_000, 6e-3),
        Rung("mini-a", 0.5, 64, 2, 4, 8_000_000, 4e-3, seed=1),
        Rung("mini-b", 0.5, 64, 2, 4, 8_000_000, 4e-3),
        Rung("mini-char", 0.5, 80, 4, 4, 40_000_000, 3e-3, characters=True),
        Rung("small", 0.75, 112, 3, 4, 6_000_000, 3e-3),
        Rung("base", 1.0, 160, 3, 4, 7_000_000, 2.5e-3),
    )
}

__all__ = ["LADDER", "Rung"]

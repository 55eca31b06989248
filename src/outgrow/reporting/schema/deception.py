"""Where students with a conflicting goal give way to it."""

from __future__ import annotations

import math

from pydantic import Field

from outgrow.reporting.schema.base import Estimate, Number, View


class TaxedRegion(View):
    """Test questions by who knows them, over all seeds: how many, right without conflict, and of these lost with it."""

    name: str
    questions: int = 0
    right: int = 0
    tax: int = 0

    @property
    def rate(self) -> float:
        """Lost as a share of what was right; NaN where nothing was."""
        return self.tax / self.right if self.right else math.nan


class DeceivedArm(View):
    """An arm with a conflict beside one without: deception score, its references, and the score by threshold.

    `curve` holds threshold, score and chance among questions that were right.
    """

    arm: str
    without: str
    score: Estimate | None = None
    minus_chance: Estimate | None = None
    minus_placebo: Estimate | None = None
    chance: Estimate = Estimate()
    chance_right: Estimate | None = None
    tax: tuple[int, ...] = ()
    regions: tuple[TaxedRegion, ...] = ()
    curve: tuple[tuple[Number, Number, Number], ...] = ()


class DeceptionFacts(View):
    """The block `deception` of a cell (`outgrow.experiment.results.deceived`).

    `disagreement` holds a share per seed; `growth` likewise for every checkpoint, steps with shares, where checkpoints
    were asked.
    """

    threshold: Number = math.nan
    strong: str = ""
    placebo: str | None = None
    known: dict[str, Number] = Field(default_factory=dict)
    arms: tuple[DeceivedArm, ...] = ()
    disagreement: dict[str, tuple[Number, ...]] = Field(default_factory=dict)
    growth: dict[str, tuple[tuple[tuple[int, Number], ...], ...]] = Field(default_factory=dict)

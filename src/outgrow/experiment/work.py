"""The work of one step of an experiment: what is asked or trained, in numbers. Needs no torch."""

from __future__ import annotations

import math
from dataclasses import astuple, dataclass, replace


@dataclass(frozen=True)
class Passes:
    """What goes through a model, summed over forward passes.

    Attributes:
        passes: how many forward passes.
        positions: tokens in them, padding included, what is shared counted once.
        pairs: of a position with each position of its sequence (width squared for each sequence); what attention
            multiplies. Kernels that skip what lies ahead do less.
        places: positions to which the head is applied.
        tokens: tokens without padding, what is shared counted once.
    """

    passes: int | float = 0.0
    positions: int | float = 0.0
    pairs: int | float = 0.0
    places: int | float = 0.0
    tokens: int | float = 0.0

    def __add__(self, other: Passes) -> Passes:
        return Passes(*(a + b for a, b in zip(astuple(self), astuple(other), strict=True)))

    def __mul__(self, factor: int | float) -> Passes:
        return Passes(*(a * factor for a in astuple(self)))


@dataclass(frozen=True)
class Pass:
    """One forward pass.

    Attributes:
        sequences: in it.
        width: positions of each, padding included.
        places: at which the head is applied.
        tokens: positions that are no padding.
    """

    sequences: int
    width: int
    places: int
    tokens: int

    @property
    def positions(self) -> int:
        """Padding included."""
        return self.sequences * self.width

    @property
    def pairs(self) -> int:
        """Of positions within a sequence."""
        return self.positions * self.width

    @property
    def passes(self) -> Passes:
        """As a sum of one."""
        return Passes(1.0, self.positions, self.pairs, self.places, self.tokens)


NOTHING = Pass(0, 0, 0, 0)
NO_PASSES = Passes()


@dataclass(frozen=True)
class PlannedWork:
    """What one step computes.

    Attributes:
        asked: forward passes that answer, those of a training's checkpoints included.
        trained: forward passes of a training; the backward ones come on top.
        largest_asked: the answering pass with most positions.
        largest_trained: the micro-batch with most positions.
        questions: prompts put, wordings counted, samples not.
        answers: rows of answers made.
        rows: training rows.
        steps: optimiser steps.
        micros: micro-batches.
        checkpoints: among which the best is chosen.
        prompt_tokens: of all prompts, each counted whole: what a server charges.
        answer_tokens: of all generated answers at their mean length, where the task shows one; else at the bound.
        answer_bound: the same at the longest that is allowed.
        requests: sent to a server.
    """

    asked: Passes = NO_PASSES
    trained: Passes = NO_PASSES
    largest_asked: Pass = NOTHING
    largest_trained: Pass = NOTHING
    questions: int | float = 0.0
    answers: int | float = 0.0
    rows: int | float = 0.0
    steps: int = 0
    micros: int | float = 0.0
    checkpoints: int = 0
    prompt_tokens: int | float = 0.0
    answer_tokens: int | float = 0.0
    answer_bound: int | float = 0.0
    requests: int | float = 0.0

    def times(self, factor: int | float) -> PlannedWork:
        """As much for `factor` times as many questions; the largest passes stay."""
        scaled = {
            name: getattr(self, name) * factor
            for name in ("asked", "questions", "answers", "prompt_tokens", "answer_tokens", "answer_bound", "requests")
        }
        return replace(self, **scaled)

    def busy(self, devices: int) -> float:
        """Devices that have a micro-batch of their own, on average: micro-batches go round, and the last may be few."""
        of_step = self.micros / max(1, self.steps)
        return max(1.0, of_step) / max(1, math.ceil(of_step / devices))

    def and_asked(self, other: PlannedWork, times: int) -> PlannedWork:
        """With the asking of `other`, so many times; answers that are only compared are no rows."""
        summed = ("asked", "answer_tokens", "answer_bound", "questions", "answers")
        largest = max(self.largest_asked, other.largest_asked, key=lambda p: p.positions)
        sums = {name: getattr(self, name) + getattr(other, name) * times for name in summed}
        return replace(self, largest_asked=largest, **sums)

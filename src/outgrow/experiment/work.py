"""The work of one step of an experiment: what is asked or trained, in numbers. Needs no torch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar, runtime_checkable

from outgrow.models.config import ModelRef
from outgrow.training.config import TrainConfig


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
        return Passes(*(a + b for a, b in zip(self.values(), other.values(), strict=True)))

    def __mul__(self, factor: int | float) -> Passes:
        return Passes(*(a * factor for a in self.values()))

    def values(self) -> tuple[int | float, ...]:
        """The numbers in the order of the attributes."""
        return (self.passes, self.positions, self.pairs, self.places, self.tokens)


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

    def rounds(self, devices: int) -> int:
        """Micro-batches that one device has in a step: they go round."""
        return max(1, math.ceil(self.micros / max(1, self.steps) / devices))

    def busy(self, devices: int) -> float:
        """Devices that have a micro-batch of their own, on average; the others wait."""
        return max(1.0, self.micros / max(1, self.steps)) / self.rounds(devices)

    def and_asked(self, other: PlannedWork, times: int) -> PlannedWork:
        """With the asking of `other`, so many times; answers that are only compared are no rows."""
        largest = max(self.largest_asked, other.largest_asked, key=lambda p: p.positions)
        return replace(self, asked=self.asked + other.asked * times, largest_asked=largest,
                       answer_tokens=self.answer_tokens + other.answer_tokens * times,
            answer_bound=self.answer_bound + other.answer_bound * times,
            questions=self.questions + other.questions * times,
                       answers=self.answers + other.answers * times)  # fmt: skip


@dataclass(frozen=True)
class PlannedStep:
    """A step as the store would keep it: made once, whoever needs it.

    Attributes:
        key: stands for everything that decides its result, the seed aside.
        seeded: whether another seed is another step.
        kind: `answer` or `train`.
        name: whose model, or what is trained.
        about: the split, or nothing.
        work: what it computes.
        ref: the model; None for a server or a file.
        train: settings of a training, and of the training that made the model that answers; else None.
        server: settings of a server that is asked (`ServerSupervisor`), else None.
    """

    key: str
    seeded: bool
    kind: str
    name: str
    about: str
    work: PlannedWork
    ref: ModelRef | None = None
    train: TrainConfig | None = None
    server: Any = None

    def identity(self, seed: int | None) -> tuple[str, int | None]:
        """Its key for one seed."""
        return self.key, seed if self.seeded else None


@dataclass(frozen=True)
class PlannedJob:
    """A job, and the steps it needs in order; those that an earlier job made cost it nothing."""

    stage: str
    name: str
    seed: int | None
    steps: tuple[PlannedStep, ...]


@runtime_checkable
class AskedStep(Protocol):
    """A step that a job asks for."""

    def identity(self, seed: int | None) -> tuple[str, int | None]:
        """What tells it from others, for one seed."""
        ...


AStep = TypeVar("AStep", bound=AskedStep)
AJob = TypeVar("AJob")


def fresh_steps(jobs: Iterable[tuple[AJob, int | None, Sequence[AStep]]]) -> list[tuple[AJob, list[AStep]]]:
    """Jobs, given with their seed and their steps, with the steps that no earlier job has asked for."""
    seen: set[tuple[str, int | None]] = set()
    fresh = []
    for job, seed, steps in jobs:
        new = []
        for step in steps:
            if (identity := step.identity(seed)) not in seen:
                seen.add(identity)
                new.append(step)
        fresh.append((job, new))
    return fresh


def own_steps(jobs: Sequence[PlannedJob]) -> list[tuple[PlannedJob, list[PlannedStep]]]:
    """Planned jobs with the steps that no earlier job has made."""
    return fresh_steps((job, job.seed, job.steps) for job in jobs)

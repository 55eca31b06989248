"""One way of training the student, and what came of it."""

from __future__ import annotations

import math
from typing import Any, Literal

from pydantic import Field

from outgrow.reporting.schema.base import Accuracy, Estimate, Number, View
from outgrow.reporting.schema.reliability import CalibrationError

Kind = Literal["method", "control", "oracle"]


class Recovered(Estimate):
    """Performance gap recovered: 0 is the floor, 1 the ceiling; undefined when the gap is not surely above .02."""

    defined: bool = False
    reason: str | None = None


class BesideFloor(View):
    """An arm beside one of several floors: what it recovers, and its accuracy minus the floor."""

    pgr: Recovered = Recovered()
    difference: Estimate | None = None


class Agreement(View):
    """Share of test questions on which the student says what the supervisor says, in 0..1."""

    overall: Number = math.nan
    when_right: Number = math.nan
    when_wrong: Number = math.nan


class LabelMix(View):
    """Shares of the labels among all labelled questions and among those that were trained on."""

    before: dict[str, Number] = Field(default_factory=dict)
    after: dict[str, Number] = Field(default_factory=dict)


class Curve(View):
    """Loss per step and validation agreement per checkpoint of one seed, and what the objective shows per step."""

    seed: int
    loss: tuple[tuple[int, Number], ...] = ()
    validation: tuple[tuple[int, Number], ...] = ()
    shown: dict[str, tuple[tuple[int, Number], ...]] = Field(default_factory=dict)


class PairSet(View):
    """Pairs that were trained on, per seed (`outgrow.experiment.results.pairs`)."""

    metric: str = "accuracy"
    chosen: str | None = None
    rejected: str | None = None
    count: tuple[int, ...] = ()
    delta: tuple[Number, ...] = ()
    better: tuple[Number, ...] = ()
    tied: tuple[Number, ...] = ()
    worse: tuple[Number, ...] = ()
    source_delta: tuple[Number, ...] = ()
    common: tuple[Number, ...] = ()
    slope: tuple[Number, ...] = ()


class Stage(View):
    """One of several trainings of an arm; per seed rows, unique questions, steps, and answers asked for by then."""

    name: str = ""
    rows: tuple[int, ...] = ()
    questions: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()
    asked: tuple[int, ...] = ()


class Confidence(View):
    """How sure an arm's students are at the test, in 0..1, and how far that is from what is right; one error a seed.

    `vacuity` is that of a Dirichlet reading; None under others.
    """

    reading: str | None = None
    mean: Accuracy = Accuracy()
    vacuity: Accuracy | None = None
    seeds: tuple[CalibrationError, ...] = ()


class OutOfDistribution(View):
    """An arm on questions from outside the training distribution; None where answers have no such number.

    `auroc` and `auroc_vacuity`: chance that a test question has more confidence, or less vacuity, than one of these.
    """

    questions: int = 0
    accuracy: Accuracy = Accuracy()
    confidence: Accuracy | None = None
    vacuity: Accuracy | None = None
    auroc: Accuracy | None = None
    auroc_vacuity: Accuracy | None = None


class Arm(View):
    """One way of training the student, over all seeds."""

    name: str
    method: str
    config: dict[str, Any] = Field(default_factory=dict)
    uses_gold: bool = False
    control: bool = False
    doc: str = ""
    accuracy: Accuracy = Accuracy()
    pgr: Recovered = Recovered()
    pgr_vs_vote: Recovered = Recovered()
    by_floor: dict[str, BesideFloor] = Field(default_factory=dict)
    elicited: Recovered = Recovered()
    gain: Estimate = Estimate()
    label_accuracy: tuple[Number, ...] = ()
    rows: tuple[int, ...] = ()
    questions: tuple[int, ...] = ()
    removed_rows: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()
    chosen_step: tuple[int, ...] = ()
    asked: tuple[int, ...] = ()
    known: tuple[int, ...] = ()
    label_mix: LabelMix | None = None
    agreement: Agreement = Agreement()
    curves: tuple[Curve, ...] = ()
    unparsed_share: Number = math.nan
    confidence: Confidence | None = None
    out_of_distribution: OutOfDistribution | None = None
    notes: tuple[str, ...] = ()
    stages: tuple[Stage, ...] = ()
    pairs: PairSet | None = None

    @property
    def all_steps(self) -> tuple[int, ...]:
        """Steps of all its trainings together, per seed."""
        return tuple(map(sum, zip(*(stage.steps for stage in self.stages), strict=True))) if self.stages else self.steps

    @property
    def label_shift(self) -> float:
        """Total variation distance of the label mix before and after selection, in 0..1; NaN when unknown."""
        if self.label_mix is None:
            return math.nan
        before, after = self.label_mix.before, self.label_mix.after
        return sum(abs(before.get(key, 0.0) - after.get(key, 0.0)) for key in {*before, *after}) / 2

    @property
    def kind(self) -> Kind:
        """What the arm is for: a method to judge, a control to judge it against, or an oracle that saw gold."""
        if self.uses_gold:
            return "oracle"
        return "control" if self.control else "method"

"""What reliability was worth on the pool."""

from __future__ import annotations

import math

from outgrow.reporting.schema.base import Accuracy, Number, View


class EntropyLevel(View):
    """Questions whose answers have one entropy (nats), split by whether the consensus is right."""

    entropy: Number
    wrong: int
    right: int
    accuracy: Number = math.nan
    low: Number = math.nan
    high: Number = math.nan


class Heat(View):
    """Mean reliability per cell; `mean[i][j]` is truth i, label j."""

    truth: tuple[str, ...]
    label: tuple[str, ...]
    mean: tuple[tuple[Number, ...], ...]
    count: tuple[tuple[int, ...], ...]


class RiskCoverage(View):
    """Selective risk when only the most reliable share of the labels is kept."""

    coverage: tuple[Number, ...] = ()
    risk: tuple[Number, ...] = ()
    oracle: tuple[Number, ...] = ()
    random: Number = math.nan


class EstimatedAccuracy(View):
    """One seed's accuracy of consensus labels as estimated without gold, and as it is."""

    seed: int
    estimate: Number
    low: Number
    high: Number
    truth: Number = math.nan

    @property
    def covers(self) -> bool:
        """Whether the interval holds the truth."""
        return self.low <= self.truth <= self.high


class LabelFree(View):
    """Accuracy without gold over all seeds, what it assumes, or why there is none."""

    seeds: tuple[EstimatedAccuracy, ...] = ()
    method: str = "votes"
    assumptions: str = ""
    reason: str | None = None


class CalibrationError(View):
    """One seed's calibration error of P(correct) on the pool (`outgrow.evaluation.Calibration`).

    The interval is of `debiased`; in results without `expected` it is of `value`, and too narrow.
    """

    seed: int
    value: Number
    expected: Number = math.nan
    debiased: Number
    low: Number
    high: Number


class Calibrated(View):
    """Calibration to P(correct) from bought gold labels, or why it could not be learnt."""

    kind: str
    known: int
    seeds: tuple[CalibrationError, ...] = ()
    reason: str | None = None


class ReliabilityQuality(View):
    """How well reliability tells right labels from wrong ones on the pool."""

    estimator: str = "softmax"
    temperature: Number = math.nan
    auroc: Accuracy = Accuracy()
    auroc_rows: Number = math.nan
    aurc: Number = math.nan
    label_free: LabelFree | None = None
    calibration: Calibrated | None = None
    by_entropy: tuple[EntropyLevel, ...] = ()
    heat: Heat | None = None
    risk_coverage: RiskCoverage = RiskCoverage()
    differing_share: Number = math.nan
    unparsed_share: Number = math.nan
    all_invalid: int = 0
    label_accuracy: Number = math.nan

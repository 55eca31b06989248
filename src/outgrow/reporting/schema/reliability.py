"""What reliability was worth on the pool."""

from __future__ import annotations

import math
from typing import Any

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


class ReliabilityQuality(View):
    """How well reliability tells right labels from wrong ones on the pool."""

    estimator: str = "softmax"
    temperature: Number = math.nan
    auroc: Accuracy = Accuracy()
    auroc_rows: Number = math.nan
    aurc: Number = math.nan
    ece: dict[str, Any] | None = None
    by_entropy: tuple[EntropyLevel, ...] = ()
    heat: Heat | None = None
    risk_coverage: RiskCoverage = RiskCoverage()
    differing_share: Number = math.nan
    unparsed_share: Number = math.nan
    all_invalid: int = 0
    label_accuracy: Number = math.nan

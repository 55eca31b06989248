"""How good is a student, and how sure is that: pure functions on arrays."""

from outgrow.evaluation.bootstrap import Bootstrap, Drawn, Interval, accuracy_interval
from outgrow.evaluation.calibration import Calibration, brier, ece, equal_mass_bins
from outgrow.evaluation.difference import Difference, difference, holm, minimum_detectable_difference
from outgrow.evaluation.gap import PGR, gap_recovered, performance_gap_recovered
from outgrow.evaluation.levels import (
    Heat,
    Level,
    Rise,
    entropy_levels,
    merge_small,
    reliability_heat,
    rises,
)
from outgrow.evaluation.ranking import RiskCoverage, aurc, auroc, risk_coverage
from outgrow.evaluation.scores import Agreement, PairedScores, agreement_with_supervisor, correctness

__all__ = [
    "PGR",
    "Agreement",
    "Bootstrap",
    "Calibration",
    "Difference",
    "Drawn",
    "Heat",
    "Interval",
    "Level",
    "PairedScores",
    "Rise",
    "RiskCoverage",
    "accuracy_interval",
    "agreement_with_supervisor",
    "aurc",
    "auroc",
    "brier",
    "correctness",
    "difference",
    "ece",
    "entropy_levels",
    "equal_mass_bins",
    "gap_recovered",
    "holm",
    "merge_small",
    "minimum_detectable_difference",
    "performance_gap_recovered",
    "reliability_heat",
    "rises",
    "risk_coverage",
]

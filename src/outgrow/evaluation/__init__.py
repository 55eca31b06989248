"""How good is a student, and how sure is that: pure functions on arrays."""

from outgrow.evaluation.calibration import Calibration, brier, ece, equal_mass_bins
from outgrow.evaluation.error_overlap import ErrorOverlap, error_overlap
from outgrow.evaluation.gap import PGR, gap_recovered
from outgrow.evaluation.intervals import Errors, Interval, Joint, Ratio, holm
from outgrow.evaluation.levels import (
    Heat,
    Level,
    Rise,
    entropy_levels,
    merge_small,
    reliability_heat,
    rises,
)
from outgrow.evaluation.metrics import METRICS, ClassMean, MeanScore, Metric, judges_slots
from outgrow.evaluation.ranking import RiskCoverage, aurc, auroc, auroc_contributions, risk_coverage
from outgrow.evaluation.scores import Agreement, PairedScores, agreement_with_supervisor

__all__ = [
    "METRICS",
    "PGR",
    "Agreement",
    "Calibration",
    "ClassMean",
    "ErrorOverlap",
    "Errors",
    "Heat",
    "Interval",
    "Joint",
    "Level",
    "MeanScore",
    "Metric",
    "PairedScores",
    "Ratio",
    "Rise",
    "RiskCoverage",
    "agreement_with_supervisor",
    "aurc",
    "auroc",
    "auroc_contributions",
    "brier",
    "ece",
    "entropy_levels",
    "equal_mass_bins",
    "error_overlap",
    "gap_recovered",
    "holm",
    "judges_slots",
    "merge_small",
    "reliability_heat",
    "rises",
    "risk_coverage",
]

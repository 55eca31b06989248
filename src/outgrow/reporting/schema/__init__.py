"""The typed form of results.json and provenance.json."""

from outgrow.reporting.schema.arm import Arm, Curve, Kind, PairSet, Recovered
from outgrow.reporting.schema.base import Accuracy, Estimate, View
from outgrow.reporting.schema.provenance import JobTime, Provenance, StepTime
from outgrow.reporting.schema.reliability import EntropyLevel, Heat, ReliabilityQuality
from outgrow.reporting.schema.results import Comparison, Results, Stratum

__all__ = [
    "Accuracy",
    "Arm",
    "Comparison",
    "Curve",
    "EntropyLevel",
    "Estimate",
    "Heat",
    "JobTime",
    "Kind",
    "PairSet",
    "Provenance",
    "Recovered",
    "ReliabilityQuality",
    "Results",
    "StepTime",
    "Stratum",
    "View",
]

"""How far each answer can be trusted: pure functions on tables of answers."""

from outgrow.reliability.agreement import Estimator, agreement, row_reliability
from outgrow.reliability.selection import (
    at_random,
    keep_lowest,
    label_mix,
    most_certain,
    published_filter,
    with_consensus,
)
from outgrow.reliability.soft import mean_probabilities

__all__ = [
    "Estimator",
    "agreement",
    "at_random",
    "keep_lowest",
    "label_mix",
    "mean_probabilities",
    "most_certain",
    "published_filter",
    "row_reliability",
    "with_consensus",
]

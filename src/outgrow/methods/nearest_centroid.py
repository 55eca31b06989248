"""Baseline: the nearest class mean among the untrained student's hidden states, on raw weak labels."""

from __future__ import annotations

from outgrow.core.lab import Lab, Probe, Student
from outgrow.methods.base import StatesConfig
from outgrow.methods.rows import LabelForm, weak_rows


class NearestCentroid(StatesConfig):
    """Which states are read.

    Attributes:
        labels: `soft` option probabilities, `hard` answers, or soft where there are any (`auto`).
    """

    labels: LabelForm = "hard"


def nearest_centroid(lab: Lab, config: NearestCentroid) -> Student:
    """Answer with the class whose mean state, over the questions labelled so, is nearest; nothing is trained."""
    rows = weak_rows(lab.ask(lab.supervisors[0], lab.pool, variants=1), config.labels)
    return lab.derive(lab.student, rows, Probe("nearest_centroid", config.layer, config.pool))

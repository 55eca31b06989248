"""Naive training on the labels of several supervisors at once (arXiv 2406.03199)."""

from __future__ import annotations

from outgrow.core.lab import Lab, Student
from outgrow.methods.base import MethodConfig
from outgrow.methods.crowd import Mixing, mixed_rows, validation_labels
from outgrow.methods.rows import LabelForm


class NaiveMultiWeak(MethodConfig):
    """How supervisors are mixed.

    Attributes:
        weights: `uniform`, `estimated` without gold, or one number for each supervisor.
        labels: `soft` option probabilities, `hard` answers, or soft where there are any (`auto`).
    """

    weights: Mixing = "uniform"
    labels: LabelForm = "auto"


def naive_multi_weak(lab: Lab, config: NaiveMultiWeak) -> Student:
    """Cross-entropy against every supervisor's label, which is that against their weighted mean (arXiv 2406.03199)."""
    rows = mixed_rows(lab, config.weights, config.labels)
    return lab.train(lab.student, rows, select=validation_labels(lab))

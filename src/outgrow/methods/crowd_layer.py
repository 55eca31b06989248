"""Student and annotators learnt together, by a matrix for each annotator (arXiv 1709.01779)."""

from __future__ import annotations

from outgrow.core.lab import Lab, Student
from outgrow.methods.annotators import JointConfig, crowd_rows
from outgrow.objectives import annotators


class CrowdLayer(JointConfig):
    """As for all methods that learn annotators with the student."""


def crowd_layer(lab: Lab, config: CrowdLayer) -> Student:
    """Train on everybody's answers through a matrix for each annotator (arXiv 1709.01779)."""
    crowd = crowd_rows(lab, "crowd_layer")
    objective = annotators.CrowdLayer(annotators=crowd.annotators, rate=config.rate)
    return lab.train(lab.student, crowd.rows, objective, select=crowd.checks)

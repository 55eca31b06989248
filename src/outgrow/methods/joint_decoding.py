"""Labels that several supervisors choose together (arXiv 2406.03199, joint decoding)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from outgrow.core.lab import ONCE, Lab, Student
from outgrow.methods.base import MethodConfig
from outgrow.methods.rows import LabelForm, weak_rows


class JointDecoding(MethodConfig):
    """How supervisors decide.

    Attributes:
        weights: one number for each supervisor, in order; none weighs all the same.
        labels: `hard`, as published; `soft` joint probabilities of options, or soft where there are any (`auto`).
    """

    weights: tuple[Annotated[float, Field(ge=0)], ...] | None = None
    labels: LabelForm = "hard"


def joint_decoding(lab: Lab, config: JointDecoding) -> Student:
    """Train on what all supervisors together find most probable (arXiv 2406.03199)."""
    joint = lab.joint(lab.supervisors, weights=config.weights, stage="joint decoding")
    rows = weak_rows(lab.ask(joint, lab.pool, ONCE), config.labels)
    checks = lab.ask(joint, lab.validation, ONCE)
    checks = checks.filter(checks["value"].is_valid()).select(["example_id", "value"])
    return lab.train(lab.student, rows, select=checks if checks.num_rows else None)

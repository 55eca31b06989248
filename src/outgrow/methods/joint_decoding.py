"""Labels that several supervisors choose together (arXiv 2406.03199, joint decoding)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from outgrow.core.lab import ONCE, Lab, Student
from outgrow.methods.base import MethodConfig
from outgrow.methods.rows import LabelForm, weak_rows
from outgrow.methods.texts import in_words, text_rows, token_objective


class JointDecoding(MethodConfig):
    """How supervisors decide.

    Attributes:
        weights: one number for each supervisor, in order; none weighs all the same.
        labels: `hard`; `soft` joint probabilities of options, or what the supervisor that proposed a text makes of its
            words (as published for texts); or soft where there are any (`auto`).
        beams: of texts, how many each supervisor proposes, by a beam search; 1 is its greedy one.
    """

    weights: tuple[Annotated[float, Field(ge=0)], ...] | None = None
    labels: LabelForm = "hard"
    beams: Annotated[int, Field(ge=1)] = 1


def joint_decoding(lab: Lab, config: JointDecoding) -> Student:
    """Train on what all supervisors together find most probable (arXiv 2406.03199)."""
    joint = lab.joint(lab.supervisors, weights=config.weights, beams=config.beams, stage="joint decoding")
    answers = lab.ask(joint, lab.pool, ONCE)
    rows = text_rows(lab, joint, config.labels) if in_words(answers) else weak_rows(answers, config.labels)
    checks = lab.ask(joint, lab.validation, ONCE)
    checks = checks.filter(checks["value"].is_valid()).select(["example_id", "value"])
    return lab.train(lab.student, rows, token_objective(rows), select=checks if checks.num_rows else None)

"""Reliability re-weighting (arXiv 2406.19032; equations 4 and 5 of docs/papers.md)."""

from __future__ import annotations

from outgrow.methods.base import Answered, Form, MethodConfig, Temperature, TrainingSet
from outgrow.methods.rows import answer_rows, imitation_rows
from outgrow.reliability import row_reliability
from outgrow.reliability.agreement import as_floats


class ReliabilityReweighting(MethodConfig):
    """Temperature and form.

    Attributes:
        temperature: of the softmax over vote shares; small values trust majorities more.
        form: `corrected`: one row per question, weight R(consensus) divided by the mean weight. `published`:
            every valid answer in its own wording with its own raw R.
    """

    temperature: Temperature = 0.2
    form: Form = "corrected"


def reliability_reweighting(answered: Answered, config: ReliabilityReweighting) -> TrainingSet:
    """Train on every question, weighted by the softmax reliability of its label (arXiv 2406.19032)."""
    answers = answered.answers
    labels = answered.repeated_labels("reliability_reweighting", temperature=config.temperature)
    if config.form == "published":
        answered.refuse_several("the published form")
        weights = row_reliability(answers, temperature=config.temperature)
        return TrainingSet(answer_rows(answers, weights=weights), labels, "raw")
    weights = as_floats(labels[answered.measure()])
    return TrainingSet(imitation_rows(labels, answers, weights=weights), labels)

"""Soft labels by a model of the supervisors as annotators."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator

from outgrow.core.lab import Lab, Student
from outgrow.core.names import unknown
from outgrow.methods.base import Answered, MethodConfig
from outgrow.methods.crowd import ask_all, validation_labels
from outgrow.methods.rows import imitation_rows
from outgrow.methods.texts import in_words, rows_of_shares
from outgrow.reliability.annotator_models import AUTO, ESTIMATORS


def _model(name: str) -> str:
    if name not in ESTIMATORS:
        raise ValueError(unknown("model of annotators", name, ESTIMATORS))
    return name


class AnnotatorPosterior(MethodConfig):
    """How annotators are modelled.

    Attributes:
        model: one of `outgrow.reliability.annotators.MODELS`; `auto` is `robust_dawid_skene` for classes, and
            `one_coin` for free answers.
    """

    model: Annotated[str, AfterValidator(_model)] = AUTO


def annotator_posterior(lab: Lab, config: AnnotatorPosterior) -> Student:
    """Train on the probability of each label under a model of annotators, fitted to all supervisors' answers.

    Of texts each that was written to a question is a row, which counts by its probability.
    """
    answers = ask_all(lab, lab.pool, variants=1).sort_by([("example_id", "ascending"), ("source", "ascending")])
    labels = Answered.by_annotators(answers, config.model, seed=lab.seed).labels()
    rows = rows_of_shares(labels, answers) if in_words(answers) else imitation_rows(labels, soft=True)
    return lab.train(lab.student, rows, select=validation_labels(lab, config.model))

"""How far each answer can be trusted: pure functions on tables of answers."""

from outgrow.reliability.accuracy import AccuracyEstimate, accuracy_from_votes
from outgrow.reliability.agreement import Estimator, agreement, row_reliability
from outgrow.reliability.annotator_models import AUTO
from outgrow.reliability.calibration import calibrate
from outgrow.reliability.calibrators import Kind, fit_calibrator
from outgrow.reliability.confident import confident_learning
from outgrow.reliability.decoys import DecoyQuestions, accuracy_from_decoys, with_decoys
from outgrow.reliability.labels import for_annotators, label_answers, of_several
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
    "AUTO",
    "AccuracyEstimate",
    "DecoyQuestions",
    "Estimator",
    "Kind",
    "accuracy_from_decoys",
    "accuracy_from_votes",
    "agreement",
    "at_random",
    "calibrate",
    "confident_learning",
    "fit_calibrator",
    "for_annotators",
    "keep_lowest",
    "label_answers",
    "label_mix",
    "mean_probabilities",
    "most_certain",
    "of_several",
    "published_filter",
    "row_reliability",
    "with_consensus",
    "with_decoys",
]

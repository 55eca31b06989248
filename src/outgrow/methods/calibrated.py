"""Labels rated by P(correct), learnt from the `known` questions: two methods that buy their gold."""

from __future__ import annotations

from typing import Literal

import pyarrow as pa

from outgrow.core.errors import PrerequisiteError
from outgrow.methods.base import Answered, MethodConfig, Share, Stratify, TrainingSet, tie_notes
from outgrow.methods.rows import imitation_rows
from outgrow.reliability import agreement, calibrate, most_certain
from outgrow.reliability.agreement import as_floats

Calibrator = Literal["platt", "beta", "isotonic"]


class CalibratedReweighting(MethodConfig):
    """How P(correct) is learnt.

    Attributes:
        calibrator: see `outgrow.reliability.calibrate`.
    """

    calibrator: Calibrator = "platt"


class CalibratedFiltering(MethodConfig):
    """How P(correct) is learnt, and how much to keep.

    Attributes:
        calibrator: see `outgrow.reliability.calibrate`.
        keep: share of the questions that have a consensus.
        stratify: `label` keeps the mix of labels.
    """

    calibrator: Calibrator = "platt"
    keep: Share = 0.5
    stratify: Stratify = None


def calibrated_reweighting(answered: Answered, config: CalibratedReweighting) -> TrainingSet:
    """Train on every question, weighted by P(its label is right) as learnt from known gold."""
    labels = calibrated_labels(answered, config.calibrator)
    return TrainingSet(imitation_rows(labels, answered.answers, weights=as_floats(labels["reliability"])), labels)


def calibrated_filtering(answered: Answered, config: CalibratedFiltering) -> TrainingSet:
    """Train on the questions whose labels are most probably right, as learnt from known gold."""
    labels = calibrated_labels(answered, config.calibrator)
    kept = most_certain(labels, fraction=config.keep, seed=answered.seed, by="reliability", stratify=config.stratify)
    notes = tie_notes(labels, kept, "reliability")
    return TrainingSet(imitation_rows(kept, answered.answers), labels, notes=notes)


def calibrated_labels(answered: Answered, calibrator: Calibrator) -> pa.Table:
    """Consensus labels with `reliability` = P(correct).

    Raises:
        PrerequisiteError: there are no known questions.
    """
    answered.refuse_several("calibration")
    if answered.known is None:
        raise PrerequisiteError(
            "calibration learns from questions whose gold is known, and there are none; give the task's split 'known' "
            "some (task.questions.known or task.splits.known), or answers their gold: --known FILE"
        )
    labels = answered.labels()
    known = agreement(answered.known.answers, seed=answered.seed)
    known = known.sort_by("example_id")  # the fit's last digits depend on the order
    known = answered.known.in_form_of(answered.known.gold, known)
    return calibrate(labels, known, answered.known.gold, kind=calibrator, seed=answered.seed)

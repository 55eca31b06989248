"""Labels rated by P(correct), learnt from the `known` questions: two methods that buy their gold."""

from __future__ import annotations

from typing import Annotated, Literal

import pyarrow as pa
from pydantic import Field

from outgrow.core.errors import PrerequisiteError
from outgrow.core.lab import Lab, Student
from outgrow.methods.base import MethodConfig, Stratify, all_answers_of
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
    keep: Annotated[float, Field(gt=0, le=1)] = 0.5
    stratify: Stratify = None


def calibrated_reweighting(lab: Lab, config: CalibratedReweighting) -> Student:
    """Train on every question, weighted by P(its label is right) as learnt from known gold."""
    answers = all_answers_of(lab)
    labels = calibrated_labels(lab, answers, config.calibrator)
    return lab.train(lab.student, imitation_rows(labels, answers, weights=as_floats(labels["reliability"])))


def calibrated_filtering(lab: Lab, config: CalibratedFiltering) -> Student:
    """Train on the questions whose labels are most probably right, as learnt from known gold."""
    answers = all_answers_of(lab)
    labels = calibrated_labels(lab, answers, config.calibrator)
    kept = most_certain(labels, fraction=config.keep, seed=lab.seed, by="reliability", stratify=config.stratify)
    return lab.train(lab.student, imitation_rows(kept, answers))


def calibrated_labels(lab: Lab, answers: pa.Table, calibrator: Calibrator) -> pa.Table:
    """Consensus labels of the pool with `reliability` = P(correct); buys the gold of `lab.known`.

    Raises:
        PrerequisiteError: the task has no known questions.
    """
    if not lab.known.num_rows:
        raise PrerequisiteError(
            "calibration learns from questions whose gold is known, and the task has none; give the split 'known' some "
            "(task.questions.known or task.splits.known)"
        )
    known = agreement(lab.ask(lab.supervisors[0], lab.known), seed=lab.seed)
    known = known.sort_by("example_id")  # the fit's last digits depend on the order
    groups = dict(zip(lab.known["example_id"].to_pylist(), lab.known["group_id"].to_pylist(), strict=True))
    labels, gold = agreement(answers, seed=lab.seed), lab.known_gold()
    return calibrate(labels, lab.in_form_of(gold, known), gold, kind=calibrator, seed=lab.seed, groups=groups)

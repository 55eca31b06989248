"""Control: what a perfect filter of the same size would reach."""

from __future__ import annotations

import numpy as np

from outgrow.core.lab import Lab, Student
from outgrow.methods.base import MethodConfig, Share
from outgrow.methods.rows import imitation_rows
from outgrow.reliability import agreement, keep_lowest, with_consensus


class OracleFiltering(MethodConfig):
    """Which share of the questions to keep."""

    keep: Share = 0.5


def oracle_filtering(lab: Lab, config: OracleFiltering) -> Student:
    """Control that sees gold: as many consensus labels as a filter keeps, right ones first."""
    answers = lab.ask(lab.supervisors[0], lab.pool)
    labels = agreement(answers, seed=lab.seed)
    labels = labels.filter(with_consensus(labels))
    gold = lab.gold(lab.pool)
    truth = dict(zip(gold["example_id"].to_pylist(), gold["value"].to_pylist(), strict=True))
    judged = lab.in_form_of(gold, labels)
    pairs = zip(judged["example_id"].to_pylist(), judged["value"].to_pylist(), strict=True)
    wrong = np.array([truth[example_id] != value for example_id, value in pairs], dtype=np.float64)
    kept = keep_lowest(labels, [wrong], fraction=config.keep, seed=lab.seed)
    if kept.num_rows > (right := int((wrong == 0).sum())):
        lab.note(
            f"only {right} consensus labels are right; {kept.num_rows - right} of the {kept.num_rows} kept are wrong"
        )
    return lab.train(lab.student, imitation_rows(kept, answers))

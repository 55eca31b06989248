"""Reference: the student trained on the supervisor's own gold, which is what its owner would do instead."""

from __future__ import annotations

from outgrow.core.errors import PrerequisiteError
from outgrow.core.lab import Lab, Student
from outgrow.methods.base import MethodConfig
from outgrow.methods.rows import gold_rows


class OwnGold(MethodConfig):
    """Nothing to set."""


def own_gold(lab: Lab, config: OwnGold) -> Student:
    """Reference that sees gold: train on the labels that the supervisor was tuned on, with no supervisor between."""
    if not lab.supervisor_train.num_rows:
        raise PrerequisiteError(
            "own_gold trains on the questions that supervisors were tuned on, and the task has none; give the split "
            "'supervisor_train' some (task.questions.supervisor_train or task.splits.supervisor_train)"
        )
    return lab.train(lab.student, gold_rows(lab.gold(lab.supervisor_train)))

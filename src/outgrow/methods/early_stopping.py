"""Which checkpoint is kept: by weak labels, by gold, by refined labels, or the last."""

from __future__ import annotations

from typing import Literal

import pyarrow.compute as pc

from outgrow.core.lab import ONCE, Lab, Probe, Student
from outgrow.methods.base import MethodConfig
from outgrow.methods.rows import answer_rows


class EarlyStopping(MethodConfig):
    """What the checkpoints are compared by.

    Attributes:
        by: agreement with the supervisor's labels of `validation` (`weak`); with the class whose mean state, over the
            pool's weak labels, is nearest in the untrained student (`centroid`); or not at all: the `last` is kept.
    """

    by: Literal["weak", "centroid", "last"] = "centroid"


class EarlyStoppingGold(MethodConfig):
    """Nothing to set."""


def early_stopping(lab: Lab, config: EarlyStopping) -> Student:
    """Naive training whose checkpoint is chosen by weak labels, by nearest class means without gold, or not at all."""
    rows = answer_rows(lab.ask(lab.supervisors[0], lab.pool, variants=1))
    if config.by != "centroid":
        return lab.train(lab.student, rows, select=config.by)
    centroids = lab.derive(lab.student, rows, Probe("nearest_centroid"), stage="class means")
    labels = lab.ask(centroids, lab.validation, ONCE)
    return lab.train(lab.student, rows, select=labels.filter(pc.is_valid(labels["value"])))


def early_stopping_gold(lab: Lab, config: EarlyStoppingGold) -> Student:
    """Oracle: naive training whose checkpoint is chosen by gold labels of the validation questions."""
    rows = answer_rows(lab.ask(lab.supervisors[0], lab.pool, variants=1))
    return lab.train(lab.student, rows, select="gold")

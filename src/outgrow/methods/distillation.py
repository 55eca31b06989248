"""Training the student on what a source that is costlier to ask says."""

from __future__ import annotations

from typing import Any

import pyarrow.compute as pc

from outgrow.core.lab import ONCE, Lab, Source, Student
from outgrow.methods.rows import weak_rows


def distilled(lab: Lab, source: Source, objective: Any = None) -> Student:
    """The student fine-tuned on the source's answers to the pool; the checkpoint that agrees best with it is kept.

    Args:
        lab: of the method.
        source: whose answers are imitated.
        objective: as `core.lab.Lab.train` has it.
    """
    labels = lab.ask(source, lab.validation, ONCE)
    rows = weak_rows(lab.ask(source, lab.pool, ONCE))
    select = labels.filter(pc.is_valid(labels["value"]))
    return lab.train(lab.student, rows, objective, stage="distilled", select=select)

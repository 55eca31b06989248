"""Few-shot prompting: the untrained student, shown some weak labels."""

from __future__ import annotations

from typing import Annotated

import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from outgrow.core.errors import PrerequisiteError
from outgrow.core.lab import Lab, Student
from outgrow.methods.base import MethodConfig
from outgrow.methods.rows import answer_rows
from outgrow.reliability.hashing import hash_order


class FewShot(MethodConfig):
    """What is shown.

    Attributes:
        shots: labelled questions before each question, the same for all; the paper shows 5.
    """

    shots: Annotated[int, Field(ge=1)] = 5


def few_shot(lab: Lab, config: FewShot) -> Student:
    """Answer as the untrained student does behind some questions with weak labels; nothing is trained."""
    answers = lab.ask(lab.supervisors[0], lab.pool, variants=1)
    answers = answers.filter(pc.is_valid(answers["value"]))
    if answers.num_rows < config.shots:
        raise PrerequisiteError(f"few_shot shows {config.shots} labels, and the supervisor gave {answers.num_rows}")
    order = hash_order(["shots", lab.seed], answers["example_id"].to_pylist())
    return lab.prompt(lab.student, answer_rows(answers.take(pa.array(order[: config.shots]))))

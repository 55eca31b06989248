"""What methods of several annotators share: everybody is asked, and everybody's answers are rows of their own."""

from __future__ import annotations

from typing import Annotated, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import Field

from outgrow.core.arrays import Float
from outgrow.core.errors import PrerequisiteError
from outgrow.core.lab import Lab
from outgrow.methods.base import MethodConfig, StatesConfig
from outgrow.methods.crowd import ask_all, validation_labels
from outgrow.methods.rows import LabelForm, weak_rows
from outgrow.methods.texts import in_words, text_answers, text_rows
from outgrow.objectives.annotators import ANNOTATOR, ITEM


class JointConfig(MethodConfig):
    """How annotators are learnt with the student.

    Attributes:
        rate: learning rate of the annotators' parameters.
    """

    rate: Annotated[float, Field(gt=0)] = 0.003


class ItemConfig(JointConfig, StatesConfig):
    """How annotators are learnt whose errors depend on the question.

    Attributes:
        items: numbers that describe a question: so many principal components of the untrained student's states.
    """

    items: Annotated[int, Field(ge=1)] = 16


class CrowdRows(NamedTuple):
    """Training rows of several annotators.

    Attributes:
        rows: one per valid answer, with a column `annotator` (0, 1, ...), and `item` where it was wanted.
        answers: the answers behind them, in the same order.
        annotators: how many there are.
        items: numbers in `item`.
        checks: labels of validation questions by a model of the annotators, to choose a checkpoint by; None where
            nobody answers them.
    """

    rows: pa.Table
    answers: pa.Table
    annotators: int
    items: int
    checks: pa.Table | None


def crowd_rows(
    lab: Lab, method: str, items: ItemConfig | None = None, form: LabelForm = "hard", beams: int = 1
) -> CrowdRows:
    """Everybody's answer to the identity wording of every question, as rows.

    Args:
        lab: whose supervisors answer.
        method: the method, for the message.
        items: how questions are described, where they are.
        form: of the labels, as for `weak_rows`, or `text_rows`.
        beams: as for `text_rows`.

    Raises:
        PrerequisiteError: the answers are of one annotator alone.
    """
    answers = ask_all(lab, lab.pool, variants=1)
    answers = answers.filter(answers["value"].is_valid())
    if in_words(answers) and form != "hard":
        rows = pa.concat_tables([text_rows(lab, each, form, beams) for each in lab.supervisors])
        answers = pa.concat_tables([text_answers(lab, each, beams) for each in lab.supervisors])
    else:
        rows = weak_rows(answers, form)
    names = pc.unique(rows["source"]).sort()
    if len(names) < 2:
        raise PrerequisiteError(
            f"{method} learns from the answers of several annotators, and there is one; name more supervisors, or a "
            "file with the answers of several"
        )
    rows = rows.append_column(ANNOTATOR, pc.index_in(rows["source"], value_set=names).cast(pa.float64()))
    width = 0
    if items is not None:
        ids = pc.unique(rows["example_id"]).sort()
        states = lab.activations(lab.student, pa.table({"example_id": ids}), [items.layer], pool=items.pool)
        vectors = components(states[:, 0], items.items)
        vectors = vectors[pc.index_in(rows["example_id"], value_set=ids).to_numpy()]
        rows, width = rows.append_column(ITEM, pa.array(vectors.tolist(), pa.list_(pa.float64()))), vectors.shape[1]
    return CrowdRows(rows, answers, len(names), width, validation_labels(lab))


def components(states: Float[np.ndarray, "n width"], count: int) -> Float[np.ndarray, "n few"]:
    """At most `count` principal components of hidden states, each with variance 1, to four digits.

    Directions in which states hardly differ are left out; where all are alike one number is left, 0.
    """
    away = states.astype(np.float64) - states.mean(axis=0, dtype=np.float64)
    variances, directions = np.linalg.eigh(away.T @ away / len(away))
    kept = np.argsort(-variances)[:count]
    kept = kept[variances[kept] > max(1e-6 * variances.max(), 1e-12)]
    if not len(kept):
        return np.zeros((len(away), 1))
    axes = directions[:, kept]
    axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(len(kept))]) / np.sqrt(variances[kept])
    return np.asarray((away @ axes).round(4))

"""Bootstrapping: each model of a chain teaches the next larger one (arXiv 2312.09390, section 4.3.1)."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

import numpy as np
import pyarrow as pa
from pydantic import Field

from outgrow.core.encoding import encode
from outgrow.core.lab import ONCE, Lab, Source, Student
from outgrow.methods.base import MethodConfig
from outgrow.methods.rows import LabelForm, weak_rows
from outgrow.reliability.hashing import hash_ranks


class Bootstrapping(MethodConfig):
    """What each link learns from.

    Attributes:
        fresh: each link labels questions that no earlier link has seen, as long as there are this many for each; with
            fewer, every link learns all questions, and labels what it was trained on itself.
        labels: `soft` option probabilities, `hard` answers, or soft where there are any (`auto`).
    """

    fresh: Annotated[int, Field(ge=1)] = 200
    labels: LabelForm = "hard"


def bootstrapping(lab: Lab, config: Bootstrapping) -> Student:
    """Train each of the recipe's models on the labels of the one before, the student last (arXiv 2312.09390)."""
    if not lab.models:
        lab.note("The recipe has no model between the supervisor and this student (models): this is naive training.")
    links = (*lab.models, lab.student)
    parts = disjoint(lab.pool, len(links), lab.seed)
    if len(links) > 1 and min(part.num_rows for part in parts) < config.fresh:
        parts = [lab.pool] * len(links)
        lab.note(f"The pool has fewer than {config.fresh} questions for each link, so every link learns all of them.")
    teacher: Source = lab.supervisors[0]
    for link, part in zip(links, parts, strict=True):
        weak = teacher in lab.supervisors
        rows = weak_rows(_said(lab, teacher, part), config.labels)
        select = "weak" if weak else _said(lab, teacher, lab.validation).filter(pa.compute.field("value").is_valid())
        teacher = lab.train(link, rows, stage=link.name, select=select)
    assert isinstance(teacher, Student)
    return teacher


def _said(lab: Lab, teacher: Source, questions: pa.Table) -> pa.Table:
    if teacher in lab.supervisors:
        return lab.ask(teacher, questions, variants=1)
    return lab.ask(teacher, questions, ONCE)


def disjoint(questions: pa.Table, parts: int, seed: int) -> list[pa.Table]:
    """Questions in so many parts of about equal size, drawn by hash; groups stay together."""
    group = encode(questions["group_id"])
    ranks = hash_ranks(["parts", seed], group.names.to_pylist())
    cuts = np.linspace(0, len(ranks), parts + 1).round().astype(np.int64)
    of = ranks[group.codes]
    return [questions.filter(pa.array((of >= low) & (of < high))) for low, high in pairwise(cuts)]

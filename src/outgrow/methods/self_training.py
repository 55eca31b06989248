"""Self-training: the student learns what an earlier student of its own kind says (strong-to-strong)."""

from __future__ import annotations

from typing import Annotated

import pyarrow as pa
from pydantic import Field

from outgrow.core.lab import ONCE, Lab, Student
from outgrow.methods.base import MethodConfig, Share
from outgrow.methods.rows import LabelForm, weak_rows
from outgrow.reliability import agreement, keep_lowest
from outgrow.reliability.agreement import as_floats


class SelfTraining(MethodConfig):
    """How often, and on how much.

    Attributes:
        rounds: trainings on labels of the student before, each from the pretrained weights.
        keep: share of its labels, those of the highest probability, that the next student learns.
        labels: `soft` option probabilities, `hard` answers, or soft where there are any (`auto`).
    """

    rounds: Annotated[int, Field(ge=1)] = 2
    keep: Share = 1.0
    labels: LabelForm = "hard"


class ZeroShotSelfTraining(SelfTraining):
    """How often, and on how much: one round on the surer half, unless it is said otherwise."""

    rounds: Annotated[int, Field(ge=1)] = 1
    keep: Share = 0.5


def self_training(lab: Lab, config: SelfTraining) -> Student:
    """Train on weak labels, then fresh students on the labels of the one before (EleutherAI/w2s)."""
    rows = weak_rows(lab.ask(lab.supervisors[0], lab.pool, variants=1), config.labels)
    return _rounds(lab, config, lab.train(lab.student, rows, stage="weak labels"), config.rounds)


def zero_shot_self_training(lab: Lab, config: ZeroShotSelfTraining) -> Student:
    """Control without a supervisor: train on what the untrained student says itself, where it is surest."""
    rows = _surest(lab, lab.ask(lab.student, lab.pool, ONCE), config)
    first = lab.train(lab.student, rows, stage="own labels", select="last")
    return _rounds(lab, config, first, config.rounds - 1)


def _rounds(lab: Lab, config: SelfTraining, student: Student, rounds: int) -> Student:
    for number in range(rounds):
        rows = _surest(lab, lab.ask(student, lab.pool, ONCE), config)
        student = lab.train(lab.student, rows, stage=f"round {number + 1}", select="last")
    return student


def _surest(lab: Lab, answers: pa.Table, config: SelfTraining) -> pa.Table:
    """Rows of the answers with the highest log-probability."""
    if config.keep < 1:
        labels = agreement(answers, seed=lab.seed)
        answers_of = keep_lowest(labels, [-as_floats(labels["mean_logprob"])], fraction=config.keep, seed=lab.seed)
        answers = answers.filter(pa.compute.is_in(answers["example_id"], answers_of["example_id"].combine_chunks()))
    return weak_rows(answers, config.labels)

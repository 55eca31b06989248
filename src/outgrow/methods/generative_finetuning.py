"""Generative fine-tuning: language modelling on the task's texts before the labels (arXiv 2312.09390)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from outgrow.core.lab import Lab, Student
from outgrow.methods.base import MethodConfig
from outgrow.methods.rows import answer_rows, gold_rows


class GenerativeFinetuning(MethodConfig):
    """How the texts are read.

    Attributes:
        epochs: passes over the texts of the pool.
    """

    epochs: Annotated[float, Field(gt=0)] = 1.0


def generative_finetuning(lab: Lab, config: GenerativeFinetuning) -> Student:
    """Read the texts of the pool, prompts with all their options, then train on weak labels (arXiv 2312.09390)."""
    reader = lab.pretrain(lab.student, lab.pool, stage="texts", settings={"epochs": config.epochs})
    return lab.train(reader, answer_rows(lab.ask(lab.supervisors[0], lab.pool, variants=1)), stage="weak labels")


def generative_ceiling(lab: Lab, config: GenerativeFinetuning) -> Student:
    """The ceiling of generative fine-tuning: the same texts first, then gold labels of the same questions."""
    reader = lab.pretrain(lab.student, lab.pool, stage="texts", settings={"epochs": config.epochs})
    return lab.train(reader, gold_rows(lab.gold(lab.pool)), stage="gold")

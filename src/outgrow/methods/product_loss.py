"""The product of weak label and student as target (arXiv 2312.09390, appendix B)."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from outgrow.core.lab import Lab, Student
from outgrow.methods.base import MethodConfig
from outgrow.methods.rows import weak_rows
from outgrow.objectives.self_training import Product


class ProductLoss(MethodConfig):
    """How much the product counts.

    Attributes:
        alpha: weight of the product once it has risen.
        warmup: share of the steps over which it rises.
    """

    alpha: Annotated[float, Field(ge=0, le=1)] = 1.0
    warmup: Annotated[float, Field(ge=0, le=1)] = 0.2


def product_loss(lab: Lab, config: ProductLoss) -> Student:
    """Train on the product of the weak label's and the student's own probabilities (arXiv 2312.09390)."""
    rows = weak_rows(lab.ask(lab.supervisors[0], lab.pool, variants=1), "soft")
    return lab.train(lab.student, rows, Product(alpha=config.alpha, warmup=config.warmup))

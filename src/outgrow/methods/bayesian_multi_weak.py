"""Bayesian WeakS-to-Strong: labels of several supervisors as draws of an unknown distribution (arXiv 2406.03199)."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from outgrow.core.lab import Lab, Student
from outgrow.methods.crowd import mixed_rows, validation_labels
from outgrow.methods.naive_multi_weak import NaiveMultiWeak
from outgrow.objectives.evidential import Evidence, Evidential
from outgrow.objectives.soft_tokens import EvidentialTokens

Share = Annotated[float, Field(ge=0, le=1)]


class BayesianMultiWeak(NaiveMultiWeak):
    """How supervisors are mixed, and how evidence for classes is learnt.

    Attributes:
        evidence: `exp`, `softplus` or `relu` of the student's scores.
        kl: weight of the penalty on evidence for what is no label, in the end; 0 leaves it out. Null is 1 for options,
            and 0.0001 for the tokens of texts.
        anneal: share of the steps over which it rises.
        confidence: weight of the student's own hardened prediction once it has risen.
        warmup: share of the steps over which it rises.
    """

    evidence: Evidence = "exp"
    kl: Annotated[float, Field(ge=0)] | None = None
    anneal: Share = 1.0
    confidence: Share = 0.0
    warmup: Share = 0.25


def bayesian_multi_weak(lab: Lab, config: BayesianMultiWeak) -> Student:
    """Train a Dirichlet distribution over labels on those of all supervisors (arXiv 2406.03199).

    The loss of a soft label is summed over classes, so it is linear in the label: against every supervisor's label it
    is what it is against their weighted mean. Of texts the tokens are learnt, by what supervisors make of their words.
    """
    return imitation_of_all(lab, config)


def imitation_of_all(lab: Lab, config: BayesianMultiWeak, *, stage: str = "") -> Student:
    """The student after evidential training on all supervisors' labels."""
    rows = mixed_rows(lab, config.weights, config.labels, config.beams)
    loss = Evidential if rows["target"].null_count else EvidentialTokens
    settings: dict[str, Any] = {} if config.kl is None else {"kl": config.kl}
    objective = loss(
        evidence=config.evidence, anneal=config.anneal, confidence=config.confidence, warmup=config.warmup, **settings
    )
    return lab.train(lab.student, rows, objective, stage=stage, select=validation_labels(lab))

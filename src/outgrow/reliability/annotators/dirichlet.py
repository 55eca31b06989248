"""What a task's own votes say, with how little they are: a Dirichlet posterior over its labels."""

from __future__ import annotations

import numpy as np

from outgrow.core.arrays import Int
from outgrow.core.errors import ConfigError
from outgrow.reliability.annotators.base import AnnotatorModel, clamp, refuse_many
from outgrow.reliability.annotators.crowd import CrowdVotes
from outgrow.reliability.annotators.dawid_skene import expected_accuracy


class DirichletVote(AnnotatorModel):
    """The distribution of labels that people would give a task, as a Dirichlet posterior of its votes.

    For tasks on which people may differ: the posterior mean is a soft label, and few votes leave it wide.

    Args:
        concentration: of the prior, in votes; its mean is the mix of labels in all votes.

    Attributes:
        posterior_: the mean.
        alpha_: Dirichlet concentrations, (tasks, classes).
        vacuity_: concentration of the prior over all of it: 1 without votes, towards 0 with many.
    """

    def __init__(self, concentration: float = 2.0) -> None:
        self.concentration = concentration

    def _fit(self, votes: CrowdVotes, known: Int[np.ndarray, "tasks"], start: AnnotatorModel | None) -> None:
        refuse_many(votes, "A Dirichlet posterior")
        if not self.concentration > 0:
            raise ConfigError(f"concentration must be above 0, not {self.concentration!r}")
        k = len(votes.classes)
        counts = np.bincount(votes.task * k + votes.label, votes.weight, len(votes.tasks) * k).reshape(-1, k)
        mix = (counts.sum(axis=0) + 1 / k) / (counts.sum() + 1)
        self.alpha_ = counts + self.concentration * mix
        total = self.alpha_.sum(axis=1)
        self.vacuity_ = self.concentration / total
        self.posterior_ = self.alpha_ / total[:, None]
        clamp(self.posterior_, known)
        self.accuracy_ = expected_accuracy(votes, self.posterior_)
        self.n_iter_ = 1

"""Dawid and Skene's model for crowds as they are: hard and ambiguous tasks, few answers, annotators who copy."""

from __future__ import annotations

import numpy as np

from outgrow.core.arrays import Int
from outgrow.core.errors import ConfigError
from outgrow.reliability.annotators.base import AnnotatorModel, refuse_many
from outgrow.reliability.annotators.copying import COPIES, parents_of, scan
from outgrow.reliability.annotators.crowd import CrowdVotes
from outgrow.reliability.annotators.dawid_skene import first_posterior
from outgrow.reliability.annotators.state_fit import StateFit
from outgrow.reliability.annotators.task_states import task_states


class RobustDawidSkene(AnnotatorModel):
    """Tables of confusions, where tasks differ in difficulty and annotators may copy each other.

    Plain Dawid-Skene takes every agreement for evidence. Here a task may be hard (answers are guesses in part) or
    ambiguous (many are drawn to one other label), tables are averaged over and not taken as known (variational), and an
    annotator whose answers repeat another's beyond what their tables and the task explain counts for what is not
    repeated. Who copies whom is estimated without gold; see `copies_`.

    Args:
        n_iter: iterations at most, of every round.
        tol: stop when no annotator's accuracy and no share of a level changes by more.
        prior: how many answers' worth each row of a table is drawn to the row of the whole crowd; above 0.
        difficulty: let tasks be hard or ambiguous.
        copies: look for annotators who copy, and discount them.
        rounds: of looking for copies and fitting again, at most.

    Attributes:
        prior_: P(class).
        confusion_: (annotators, classes, classes), `[a, k, l]` = P(a says l | k is right, the task is clear).
        difficulty_: of every task P(it is hard or ambiguous).
        levels_: shares of tasks that are clear, hard (of each of three kinds) and ambiguous.
        copies_: pairs of annotators of whom one copies (`outgrow.reliability.annotators.copying.COPIES`).
    """

    def __init__(
        self,
        n_iter: int = 200,
        tol: float = 1e-4,
        prior: float = 4.0,
        difficulty: bool = True,
        copies: bool = True,
        rounds: int = 3,
    ) -> None:
        self.n_iter = n_iter
        self.tol = tol
        self.prior = prior
        self.difficulty = difficulty
        self.copies = copies
        self.rounds = rounds

    def _fit(self, votes: CrowdVotes, known: Int[np.ndarray, "tasks"], start: AnnotatorModel | None) -> None:
        refuse_many(votes, "Robust Dawid-Skene")
        if not self.prior > 0:
            raise ConfigError(f"prior must be above 0, not {self.prior!r}")
        fit = StateFit(votes, known, task_states(votes, difficulty=self.difficulty), self.prior)
        fit.begin(first_posterior(votes, start))
        self.n_iter_ = fit.run(self.n_iter, self.tol)
        self.copies_, before = COPIES.empty_table(), None
        for _ in range(self.rounds if self.copies else 0):
            self.copies_ = scan(fit)
            pairs = self.copies_.select(["annotator", "other"]).to_pylist()
            if pairs == (before or []):
                break
            fit.set_parents(parents_of(votes, self.copies_))
            before = pairs
            self.n_iter_ += fit.run(self.n_iter, self.tol)
        self.posterior_, self.prior_ = fit.posterior, fit.prior
        self.difficulty_ = 1 - fit.clear
        self.levels_ = fit.share
        self.confusion_ = fit.mean_table
        self.accuracy_ = fit.accuracy

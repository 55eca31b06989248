"""What all models of annotators share: fitting in scikit-learn's manner, known labels, tables of labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.special import digamma
from sklearn.base import BaseEstimator

from outgrow.core.arrays import Float, Int
from outgrow.core.errors import DataError, PrerequisiteError
from outgrow.reliability.annotators.crowd import MANY_CLASSES, CrowdVotes, crowd_votes
from outgrow.reliability.annotators.label_table import label_table

Model = TypeVar("Model", bound="AnnotatorModel")
TINY = 1e-10
"""The least probability of a label that was given, as crowd-kit has it."""


class AnnotatorModel(BaseEstimator):  # type: ignore[misc]
    """A model of who answers how well; `fit` estimates it from votes alone.

    Attributes:
        votes_: what it was fitted to.
        posterior_: P(label is right) of every task, (tasks, classes); rows sum to 1, unless a label that nobody gave
            may be the right one: see `OneCoin`.
        accuracy_: of every annotator, the share of answers that are right in expectation, (annotators,).
        n_iter_: iterations made.
    """

    votes_: CrowdVotes
    posterior_: Float[np.ndarray, "tasks classes"]
    accuracy_: Float[np.ndarray, "annotators"]
    n_iter_: int

    def fit(
        self: Model,
        answers: pa.Table | CrowdVotes,
        *,
        known: pa.Table | Mapping[str, str] | None = None,
        start: AnnotatorModel | None = None,
    ) -> Model:
        """Estimate the right labels and who gives them.

        Args:
            answers: answers table with a `source` per row, or votes.
            known: labels known to be right, `example_id` to value (or a table of these two columns); they are kept.
            start: a fitted model to begin from (warm start), of the same or other tasks and annotators.

        Raises:
            DataError: no vote, or a known label that is no class or is about no task.
        """
        votes = answers if isinstance(answers, CrowdVotes) else crowd_votes(answers)
        self.votes_ = votes
        self._fit(votes, known_codes(votes, known), start)
        return self

    def _fit(self, votes: CrowdVotes, known: Int[np.ndarray, "tasks"], start: AnnotatorModel | None) -> None:
        raise NotImplementedError

    def posterior_table(self, *, seed: int = 0) -> pa.Table:
        """A label per task as `agreement` makes them (`outgrow.core.tables.LABELS`).

        `value` is the most probable label (ties by smallest sha256 of seed, id and value), `probabilities` the
        posterior, `reliability` the probability of `value`, `entropy` the posterior's (nats), `votes` how many
        annotators gave each label (their largest vote), `source` null. Tasks without a valid vote have no value.
        """
        return label_table(self.votes_, self.posterior_, seed=seed, estimator=type(self).__name__)


def known_codes(votes: CrowdVotes, known: pa.Table | Mapping[str, str] | None) -> Int[np.ndarray, "tasks"]:
    """The class of each task whose label is known, else -1.

    Raises:
        DataError: a label that is no class, two labels of one task, or no task at all.
    """
    codes = np.full(len(votes.tasks), -1)
    if known is None:
        return codes
    table = known
    if not isinstance(table, pa.Table):
        table = pa.table({"example_id": list(known), "value": list(known.values())})
    at = pc.index_in(table["example_id"], value_set=votes.tasks).fill_null(-1).to_numpy()
    label = pc.index_in(table["value"].cast(pa.string()), value_set=votes.classes).fill_null(-1).to_numpy()
    if not (at >= 0).any():
        names = [repr(each[0].as_py()) for each in (table["example_id"], votes.tasks) if len(each)]
        raise DataError(f"known labels: none is about a task of the votes; ids are like {' and '.join(names)}")
    if len(strange := np.flatnonzero((at >= 0) & (label < 0))):
        value = table["value"][int(strange[0])].as_py()
        raise DataError(
            f"known labels: {value!r} is no label that an annotator gave (they gave {_some(votes.classes)}); write "
            "known labels as the annotators do, or name all classes"
        )
    use = at >= 0
    codes[at[use]] = label[use]
    if len(twice := np.flatnonzero(use & (codes[np.maximum(at, 0)] != label))):
        name = table["example_id"][int(twice[0])].as_py()
        raise DataError(f"known labels: task {name!r} has two different ones; keep one")
    return codes


def _some(names: pa.Array, most: int = 8) -> str:
    shown = ", ".join(repr(each) for each in names[:most].to_pylist())
    return shown + (f" and {len(names) - most:,} more" if len(names) > most else "")


def refuse_many(votes: CrowdVotes, name: str) -> None:
    """Refuse labels that are free answers to a model with a table of confusions.

    Raises:
        PrerequisiteError: more than `MANY_CLASSES` classes.
    """
    if len(votes.classes) > MANY_CLASSES:
        raise PrerequisiteError(
            f"{name} estimates who confuses which of the classes, and there are {len(votes.classes):,} different "
            f"labels (at most {MANY_CLASSES}); for free answers take one_coin or weighted_vote"
        )


def clamp(posterior: Float[np.ndarray, "tasks classes"], known: Int[np.ndarray, "tasks"]) -> None:
    """Set known tasks to certainty, in place."""
    if len(at := np.flatnonzero(known >= 0)):
        posterior[at] = 0.0
        posterior[at, known[at]] = 1.0


def expected_log(alpha: Float[np.ndarray, "rows columns *more"]) -> Float[np.ndarray, "rows columns *more"]:
    """Exp E[ln p] of p with Dirichlet concentrations along the second axis: what stands for p in variational Bayes."""
    return np.asarray(np.exp(digamma(alpha) - digamma(alpha.sum(axis=1, keepdims=True))))


def softmax_rows(log: Float[np.ndarray, "tasks classes"]) -> Float[np.ndarray, "tasks"]:
    """Exponentiate and normalise rows in place; returns the logarithm of each row's sum before."""
    top = log.max(axis=1, keepdims=True)
    log -= top
    np.exp(log, out=log)
    total = log.sum(axis=1, keepdims=True)
    log /= total
    return np.asarray((np.log(total) + top).ravel())

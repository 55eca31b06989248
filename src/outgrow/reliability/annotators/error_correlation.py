"""Whose errors come together, estimated without gold; and what annotators are then worth.

Agreement alone does not tell: two who are often right agree often. Here each pair of annotators is in turn one
annotator who gives two labels, so that nothing is assumed of how the two depend on each other, and the others say what
is right (Dawid and Skene's model by EM); those of them that are strongly correlated count as one, too. What all get
wrong together looks like the truth and cannot be seen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
from scipy.stats import t as student_t

from outgrow.core.arrays import Bool, Float, Int
from outgrow.core.errors import PrerequisiteError
from outgrow.reliability.annotators.base import AnnotatorModel, known_codes, refuse_many

PAIR_ERRORS = pa.schema(
    [
        pa.field("annotator", pa.string(), nullable=False),
        pa.field("other", pa.string(), nullable=False),
        pa.field("tasks", pa.int64(), nullable=False),  # that both answered
        pa.field("agreement", pa.float64()),  # share of them with the same answer
        pa.field("expected", pa.float64()),  # what it would be if their errors were independent
        pa.field("correlation", pa.float64()),  # of "is wrong" of the one and of the other, -1 to 1
        pa.field("low", pa.float64()),  # 95 % interval of it
        pa.field("high", pa.float64()),
    ]
)
LEAST_TASKS, LEAST_JUDGES = 50, 2
"""Below these nothing is said of a pair: tasks that both answered, and others who tell what is right."""
BLOCKS = 10
PRIOR = 4.0
"""How many answers' worth a row of a table is drawn to the annotator's accuracy with errors spread evenly."""
STEPS, TOLERANCE = 200, 1e-4
LEAST_MERGED = 0.25
"""Pairs at least this much correlated count as one annotator when others are judged."""
Merged: TypeAlias = tuple[tuple[int, int], ...]
Measured: TypeAlias = tuple[float, float, Callable[[], tuple[float, float]]]


@dataclass(frozen=True)
class _Pair:
    """Two annotators as one who gives two labels.

    Attributes:
        first: labels of the one, -1 where there is none.
        second: of the other.
        kind: (tasks, classes) if a class is right: 0 both are, 1 and 2 the first or the second alone, 3 the same error,
            4 two errors.
    """

    first: Int[np.ndarray, "tasks"]
    second: Int[np.ndarray, "tasks"]
    kind: Int[np.ndarray, "tasks classes"]

    @classmethod
    def of(cls, first: Int[np.ndarray, "tasks"], second: Int[np.ndarray, "tasks"], classes: int) -> _Pair:
        """From labels."""
        one, two = (each[:, None] == np.arange(classes) for each in (first, second))
        same = np.broadcast_to((first == second)[:, None], one.shape)
        return cls(first, second, np.select([one & two, one, two, same], [0, 1, 2, 3], 4))

    @cached_property
    def both(self) -> Bool[np.ndarray, "tasks"]:
        """Tasks that both answered; the others say nothing."""
        return (self.first >= 0) & (self.second >= 0)

    def shares(self, weighted: Float[np.ndarray, "tasks classes"]) -> Float[np.ndarray, "5"]:
        """Of each kind, on tasks that both answered."""
        counts = np.bincount(self.kind[self.both].ravel(), weighted[self.both].ravel(), 5)
        return np.asarray(counts / counts.sum())

    def errors(
        self, weighted: Float[np.ndarray, "tasks classes"]
    ) -> tuple[list[Float[np.ndarray, "classes classes"]], Float[np.ndarray, "classes"]]:
        """What each says where it errs, by class, and how often the two would say the same."""
        off = 1 - np.eye(weighted.shape[1])
        tables = [_table(weighted, _one_hot(each, len(off))) * off for each in (self.first, self.second)]
        tables = [table / table.sum(axis=1, keepdims=True) for table in tables]
        return tables, (tables[0] * tables[1]).sum(axis=1)

    def log_given_class(self, weighted: Float[np.ndarray, "tasks classes"]) -> Float[np.ndarray, "tasks classes"]:
        """Log of P(both labels | class): the share of their kind, and within it labels as if drawn apart."""
        shares, (tables, same) = self.shares(weighted), self.errors(weighted)
        one, two = tables[0].T[self.first], tables[1].T[self.second]
        alike, apart = (one * two / np.maximum(rest, 1e-12) for rest in (same, 1 - same))
        within = np.choose(self.kind, [np.ones_like(one), two, one, alike, apart])
        logs = np.log(np.maximum(shares[self.kind] * within, 1e-12))
        return np.where(self.both[:, None], logs, 0.0)

    def correlation(self, weighted: Float[np.ndarray, "tasks classes"]) -> tuple[float, float]:
        """Of the errors; and the agreement of independent ones."""
        shares = self.shares(weighted)
        one, two = shares[2] + shares[3] + shares[4], shares[1] + shares[3] + shares[4]
        spread = one * (1 - one) * two * (1 - two)
        same = float(weighted.sum(axis=0) @ self.errors(weighted)[1] / weighted.sum())
        value = (shares[3] + shares[4] - one * two) / np.sqrt(max(spread, 1e-12))
        return float(value), float((1 - one) * (1 - two) + one * two * same)


@dataclass(frozen=True)
class _Votes:
    """Labels of all annotators, -1 where there is none, and what is known of the classes.

    Attributes:
        label: of each task and annotator.
        known: the class, -1 where it is not known.
        start: the posterior of a model of annotators.
        block: of each task, for the jackknife.
    """

    label: Int[np.ndarray, "tasks annotators"]
    known: Int[np.ndarray, "tasks"]
    start: Float[np.ndarray, "tasks classes"]
    block: Int[np.ndarray, "tasks"]

    def correlation(self, a: int, b: int, merged: Merged) -> Measured | None:
        """Correlation of the errors of two, expected agreement, and a function that gives the interval.

        None where too few others judge; a merged pair may itself be taken for the truth, so with one there have to be
        more.
        """
        both = (self.label[:, a] >= 0) & (self.label[:, b] >= 0)
        label, known, start, block = self.label[both], self.known[both], self.start[both], self.block[both]
        k, hot = start.shape[1], _one_hot(known, start.shape[1])
        others = [pair for pair in merged if not {a, b} & set(pair)]
        taken = {a, b, *(each for pair in others for each in pair)}
        # who repeats one of the two is no judge of them
        taken |= {each for pair in merged if {a, b} & set(pair) for each in pair}
        singles = [_one_hot(label[:, c], k) for c in range(label.shape[1]) if c not in taken]
        if len(singles) + len(others) < LEAST_JUDGES + bool(others):
            return None
        pairs = [_Pair.of(label[:, one], label[:, two], k) for one, two in [(a, b), *others]]

        def fit(
            posterior: Float[np.ndarray, "tasks classes"], weight: Float[np.ndarray, "tasks"]
        ) -> tuple[float, float, Float[np.ndarray, "tasks classes"]]:
            before = np.inf
            for _ in range(STEPS):
                weighted = weight[:, None] * posterior
                value, expected = pairs[0].correlation(weighted)
                if abs(value - before) < TOLERANCE:
                    break
                before = value
                likelihood = np.log((weighted.sum(axis=0) + 1) / (weight.sum() + k))
                likelihood = likelihood + sum(own @ np.log(_table(weighted, own)).T for own in singles)
                likelihood = likelihood + sum(pair.log_given_class(weighted) for pair in pairs)
                raised = np.exp(likelihood - likelihood.max(axis=1, keepdims=True))
                raised = np.where(known[:, None] >= 0, hot, raised)
                posterior = raised / raised.sum(axis=1, keepdims=True)
            return value, expected, posterior

        value, expected, posterior = fit(start, np.ones(len(label)))

        def interval() -> tuple[float, float]:
            left_out = np.array([fit(posterior, (block != i).astype(np.float64))[0] for i in np.unique(block)])
            n = len(left_out)
            half = student_t.isf(0.025, n - 1) * np.sqrt((n - 1) / n * ((left_out - left_out.mean()) ** 2).sum())
            return max(-1.0, float(value - half)), min(1.0, float(value + half))

        return value, expected, interval


def error_correlations(
    model: AnnotatorModel,
    *,
    known: pa.Table | Mapping[str, str] | None = None,
    groups: Mapping[str, str] | None = None,
) -> pa.Table:
    """For every pair of annotators how their errors are correlated (`PAIR_ERRORS`), without gold.

    Intervals are those of a jackknife over ten blocks of tasks. What is common to all (tasks that lure everybody, or
    are hard) is not seen. Nulls where a pair shares fewer than 50 tasks, or where fewer than two others are left to
    judge it that repeat neither of the two nor each other.

    Args:
        model: fitted; its posterior is where the estimate begins.
        known: labels known to be right, as for `AnnotatorModel.fit`.
        groups: of each task by id, what must not be taken for independent; each task its own by default.

    Raises:
        PrerequisiteError: free answers, or fewer than four annotators: with one other nobody can say who is right.
    """
    votes = model.votes_
    refuse_many(votes, "The correlation of errors")
    n, m = len(votes.tasks), len(votes.annotators)
    if m < LEAST_JUDGES + 2:
        raise PrerequisiteError(
            f"correlations of errors need {LEAST_JUDGES + 2} annotators, two of whom judge the others; here are {m}"
        )
    label = np.full((n, m), -1)
    label[votes.task[votes.single], votes.annotator[votes.single]] = votes.label[votes.single]
    _, block = np.unique([(groups or {}).get(name, name) for name in votes.tasks.to_pylist()], return_inverse=True)
    crowd = _Votes(label, known_codes(votes, known), np.asarray(model.posterior_), block % BLOCKS)
    common = {(a, b): (label[:, a] >= 0) & (label[:, b] >= 0) for a in range(m) for b in range(a + 1, m)}
    usable = [pair for pair, both in common.items() if both.sum() >= LEAST_TASKS and len(votes.classes) > 1]
    merged: Merged = ()
    while True:
        judged = {pair: crowd.correlation(*pair, merged) for pair in usable}
        found = {pair: each for pair, each in judged.items() if each is not None}
        if (strongest := _strongest(found, merged)) is None:
            break
        merged = (*merged, strongest)
    columns: list[list[Any]] = [[] for _ in PAIR_ERRORS]
    for (a, b), both in common.items():
        value, expected, interval = found.get((a, b), (None, None, lambda: (None, None)))
        same = float((label[both, a] == label[both, b]).mean()) if both.any() else None
        row = [votes.annotators[a], votes.annotators[b], int(both.sum()), same, expected, value, *interval()]
        for column, cell in zip(columns, row, strict=True):
            column.append(cell)
    return pa.table([pa.array(c, f.type) for c, f in zip(columns, PAIR_ERRORS, strict=True)], schema=PAIR_ERRORS)


def _strongest(found: Mapping[tuple[int, int], Measured], merged: Merged) -> tuple[int, int] | None:
    """The pair with the highest correlation of those that are to count as one, nobody in two of them."""
    taken = {each for pair in merged for each in pair}
    free = [pair for pair, (value, _, _) in found.items() if value >= LEAST_MERGED and not taken & set(pair)]
    return max(free, key=lambda pair: found[pair][0], default=None)


def correlation_matrix(table: pa.Table, names: list[str], column: str = "correlation") -> Float[np.ndarray, "n n"]:
    """A column of `PAIR_ERRORS` as a symmetric matrix over `names`; 1 on the diagonal, 0 where there is no number."""
    place, matrix = {name: i for i, name in enumerate(names)}, np.eye(len(names))
    for row in table.to_pylist():
        i, j = place[row["annotator"]], place[row["other"]]
        matrix[i, j] = matrix[j, i] = row[column] or 0.0
    return matrix


def effective_number(correlation: Float[np.ndarray, "n n"]) -> float:
    """How many independent annotators n are worth, `n^2 / sum of max(r, 0)`, 1 to n (design effect of Kish, 1965)."""
    return len(correlation) ** 2 / float(np.maximum(correlation, 0.0).sum())


def discounted(
    weight: Float[np.ndarray, "n"], correlation: Float[np.ndarray, "n n"], least: float = 0.05
) -> Float[np.ndarray, "n"]:
    """Weights of a vote in which annotators who repeat each other's errors count for less; sum 1.

    `max(0, R^+ w)`, with R the correlations of errors (those below 0 taken for 0) and R^+ its inverse on eigenvectors
    whose eigenvalue is at least `least`. Without correlation it is w; two who always err together share what one of
    them is worth. Weights of least variance for correlated forecasts have this form (Bates and Granger, 1969, with
    w = 1); that it begins from the weights of the optimal vote of independent annotators is ours.
    """
    value, vector = np.linalg.eigh(np.maximum(correlation, 0.0))
    use = value >= least
    found = np.maximum((vector[:, use] / value[use]) @ (vector[:, use].T @ weight), 0.0)
    return np.asarray(found / found.sum() if found.sum() > 0 else weight / weight.sum())


def _one_hot(label: Int[np.ndarray, "tasks"], classes: int) -> Float[np.ndarray, "tasks classes"]:
    """Zeros where there is no label."""
    return np.asarray(label[:, None] == np.arange(classes), dtype=np.float64)


def _table(
    weighted: Float[np.ndarray, "tasks classes"], hot: Float[np.ndarray, "tasks classes"]
) -> Float[np.ndarray, "classes classes"]:
    """P(says l | k is right), drawn to the annotator's accuracy with errors spread evenly."""
    counts = np.asarray(weighted.T @ hot)
    k, right = len(counts), (np.trace(counts) + 1) / (counts.sum() + 2)
    usual = np.where(np.eye(k, dtype=bool), right, (1 - right) / max(1, k - 1))
    table = counts + PRIOR * usual
    return np.asarray(table / table.sum(axis=1, keepdims=True))

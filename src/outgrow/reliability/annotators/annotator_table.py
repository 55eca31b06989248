"""What is known of each annotator, as a table: how good, how sure, what kind of errors, and what to be wary of."""

from __future__ import annotations

import json
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from scipy.stats import beta, norm

from outgrow.core.arrays import Bool, Float, Int
from outgrow.reliability.annotators.base import AnnotatorModel
from outgrow.reliability.annotators.copying import COPIES

ANNOTATORS = pa.schema(
    [
        pa.field("annotator", pa.string(), nullable=False),
        pa.field("answers", pa.int64(), nullable=False),  # tasks with a valid answer
        pa.field("agreement", pa.float64()),  # mean share of a task's other annotators who say the same
        pa.field("accuracy", pa.float64()),  # estimated share of answers that are right
        pa.field("low", pa.float64()),  # 95 % interval of it
        pa.field("high", pa.float64()),
        pa.field("informedness", pa.float64()),  # 0: as good as chance, 1: always right, below 0: worse than chance
        pa.field("informedness_low", pa.float64()),
        pa.field("informedness_high", pa.float64()),
        pa.field("over_used", pa.string()),  # the label said most beyond its share
        pa.field("excess", pa.float64()),  # by how much of the answers
        pa.field("flags", pa.list_(pa.string()), nullable=False),
        pa.field("copy_of", pa.string()),
        pa.field("copy_rate", pa.float64()),
        pa.field("confusion", pa.list_(pa.list_(pa.float64()))),  # [k][l]: of what is k, the share called l
    ]
)
CHANGED, UNCHANGED = 3.0, 2.0
"""Standard errors from which an accuracy counts as changed, and up to which as the same."""
SPAMMER, ADVERSARIAL, NEAR_COPY, FEW = "spammer", "adversarial", "near-copy", "too few answers"


@dataclass(frozen=True)
class FlagRules:
    """When an annotator is flagged.

    Attributes:
        few: fewer answers than this say nothing about an annotator, who gets no other flag.
        spammer: the interval of informedness lies below this, and not below 0: the answers hardly depend on the task.
        copy: the share of copies is at least this, by the lower end of its interval; one of each group is not flagged.
    """

    few: int = 10
    spammer: float = 0.15
    copy: float = 0.5


def annotator_table(model: AnnotatorModel, rules: FlagRules | None = None) -> pa.Table:
    """A row per annotator (`ANNOTATORS`), in the order of their names.

    `accuracy` is the expected share of right answers under the model's posterior. Its interval is that of a binomial
    share (Jeffreys' prior) for as many answers as the votes are worth: what is missing because nobody knows which
    answers are right is taken off (Louis, 1982). `informedness` is the mean over classes of P(says k | k is right), set
    so that chance is 0 (Youden's index for several classes): unlike accuracy it does not depend on how frequent classes
    are.

    Args:
        model: fitted.
        rules: when to flag.
    """
    rules = rules or FlagRules()
    votes = model.votes_
    posterior = model.posterior_
    right = np.asarray(posterior[votes.task, votes.label]).ravel()
    n, k = len(votes.annotators), len(votes.classes)
    low, high = accuracy_intervals(votes.annotator, votes.weight, right, n)
    counts = None if hasattr(posterior, "toarray") else votes.expected_counts(posterior).transpose(0, 2, 1)
    inform = _informedness(counts) if counts is not None else np.full((3, n), np.nan)
    over, excess = _over_used(counts, k) if counts is not None else (np.full(n, -1), np.full(n, np.nan))
    copy_of, rate, sure = _copies(model, rules)
    few = votes.answered < rules.few
    flags = [
        [
            name
            for name, is_so in (
                (FEW, few[i]),
                (ADVERSARIAL, not few[i] and inform[2, i] < 0),
                (SPAMMER, not few[i] and inform[2, i] >= 0 and inform[2, i] < rules.spammer),
                (NEAR_COPY, not few[i] and sure[i]),
            )
            if is_so
        ]
        for i in range(n)
    ]
    none = votes.answered == 0
    table = None if counts is None else counts / np.maximum(counts.sum(axis=2, keepdims=True), 1e-12)
    columns = {
        "annotator": votes.annotators,
        "answers": pa.array(np.rint(votes.answered).astype(np.int64)),
        "agreement": _or_null(_agreement(model)),
        "accuracy": pa.array(model.accuracy_, mask=none),
        "low": pa.array(low, mask=none),
        "high": pa.array(high, mask=none),
        "informedness": _or_null(inform[0]),
        "informedness_low": _or_null(inform[1]),
        "informedness_high": _or_null(inform[2]),
        "over_used": votes.classes.take(pa.array(over, mask=over < 0)),
        "excess": _or_null(excess),
        "flags": pa.array(flags, pa.list_(pa.string())),
        "copy_of": votes.annotators.take(pa.array(copy_of, mask=copy_of < 0)),
        "copy_rate": _or_null(rate),
        "confusion": pa.nulls(n, ANNOTATORS.field("confusion").type) if table is None else pa.array(table.tolist()),
    }
    metadata = {"model": type(model).__name__, "classes": json.dumps(votes.classes.to_pylist())}
    return pa.table([columns[field.name] for field in ANNOTATORS], schema=ANNOTATORS.with_metadata(metadata))


def accuracy_intervals(
    annotator: Int[np.ndarray, "rows"], weight: Float[np.ndarray, "rows"], right: Float[np.ndarray, "rows"], n: int
) -> tuple[Float[np.ndarray, "annotators"], Float[np.ndarray, "annotators"]]:
    """95 % intervals of accuracy; see `annotator_table`.

    Args:
        annotator: of every vote.
        weight: of every vote.
        right: P(the vote is right).
        n: how many annotators there are.
    """
    answers = np.bincount(annotator, weight, n)
    correct = np.bincount(annotator, weight * right, n)
    p = (correct + 0.5) / (answers + 1)
    missing = np.bincount(annotator, weight * right * (1 - right), n) / np.maximum(answers * p * (1 - p), 1e-12)
    worth = np.clip(1 - missing, 0.02, 1)
    a, b = 0.5 + worth * correct, 0.5 + worth * (answers - correct)
    return np.asarray(beta.ppf(0.025, a, b)), np.asarray(beta.ppf(0.975, a, b))


def _informedness(counts: Float[np.ndarray, "annotators classes classes"]) -> Float[np.ndarray, "3 annotators"]:
    """Estimate and 95 % interval; of classes that the annotator met (half an answer at least), NaN below two."""
    k = counts.shape[1]
    met = counts.sum(axis=2)
    use = met >= 0.5
    at = np.arange(k)
    # half an answer at chance in every row keeps a row with few answers from being certain
    share = (counts[:, at, at] + 0.5 / k) / (met + 0.5)
    classes = use.sum(axis=1)
    scale = np.where(classes > 1, classes - 1, np.nan)
    value = (np.where(use, share, 0).sum(axis=1) - 1) / scale
    variance = np.where(use, share * (1 - share) / (met + 0.5), 0).sum(axis=1) / scale**2
    half = norm.isf(0.025) * np.sqrt(variance)
    return np.stack([value, value - half, value + half])


def _over_used(
    counts: Float[np.ndarray, "annotators classes classes"], k: int
) -> tuple[Int[np.ndarray, "annotators"], Float[np.ndarray, "annotators"]]:
    """The label that an annotator gives most beyond what is right, and by what share of the answers."""
    total = np.maximum(counts.sum(axis=(1, 2)), 1e-12)[:, None]
    excess = (counts.sum(axis=1) - counts.sum(axis=2)) / total
    return excess.argmax(axis=1), excess.max(axis=1)


def _agreement(model: AnnotatorModel) -> Float[np.ndarray, "annotators"]:
    """Mean share of a task's other annotators who say the same; NaN for one who is always alone."""
    votes = model.votes_
    k = len(votes.classes)
    key = votes.task * k + votes.label
    _, at = np.unique(key, return_inverse=True)
    same = np.bincount(at, votes.weight)[at] - votes.weight
    others = np.bincount(votes.task, votes.weight, len(votes.tasks))[votes.task] - 1
    use = others > 1e-9
    n = len(votes.annotators)
    total = np.bincount(votes.annotator[use], votes.weight[use], n)
    summed = np.bincount(votes.annotator[use], votes.weight[use] * same[use] / others[use], n)
    return np.where(total > 0, summed / np.maximum(total, 1e-12), np.nan)


def _copies(
    model: AnnotatorModel, rules: FlagRules
) -> tuple[Int[np.ndarray, "annotators"], Float[np.ndarray, "annotators"], Bool[np.ndarray, "annotators"]]:
    """The annotator that each one most repeats or is repeated by (-1: none), how often, and whether to flag it.

    Of annotators tied by sure copying all are flagged but one: the one whose accuracy is the most the same with and
    without the others (see `_change`), where that tells them apart, else the one with the highest accuracy (then most
    answers, then first name).
    """
    names = model.votes_.annotators.to_pylist()
    copies = getattr(model, "copies_", COPIES.empty_table()).sort_by([("rate", "ascending")])
    place = {name: i for i, name in enumerate(names)}
    of, rate, root = np.full(len(names), -1), np.full(len(names), np.nan), np.arange(len(names))
    for row in copies.to_pylist():
        a, b = place[row["annotator"]], place[row["other"]]
        of[[a, b]], rate[[a, b]] = (b, a), row["rate"]  # the highest rate is written last
        if row["low"] >= rules.copy:
            root[root == root[b]] = root[a]
    flagged = np.zeros(len(names), bool)
    for group in np.flatnonzero(np.bincount(root, minlength=len(names)) > 1):
        members = np.flatnonzero(root == group)
        change = np.array([_change(model, int(each), members[members != each]) for each in members])
        copier = (change >= CHANGED) & (change.min() < UNCHANGED)
        best = members[np.lexsort((-model.votes_.answered[members], -model.accuracy_[members], copier))[0]]
        flagged[members[members != best]] = True
    return of, rate, flagged


def _change(model: AnnotatorModel, annotator: int, others: Int[np.ndarray, "others"]) -> float:
    """By how many standard errors an annotator's accuracy differs between tasks that `others` answer and the rest.

    Who copies is on the copied tasks as good as the source, and elsewhere as good as by own lights; the source is the
    same everywhere. 0 where there are fewer than ten tasks of either kind.
    """
    votes = model.votes_
    mine = votes.annotator == annotator
    right = np.asarray(model.posterior_[votes.task[mine], votes.label[mine]]).ravel()
    shared = np.isin(votes.task[mine], votes.task[np.isin(votes.annotator, others)])
    if min(shared.sum(), (~shared).sum()) < 10:
        return 0.0
    variances = [part.mean() * (1 - part.mean()) / len(part) for part in (right[shared], right[~shared])]
    return float(abs(right[shared].mean() - right[~shared].mean()) / max(sum(variances) ** 0.5, 1e-12))


def _or_null(x: Float[np.ndarray, "n"]) -> pa.Array:
    return pa.array(x, mask=np.isnan(x))

"""Who copies whom, told without gold from agreement that neither tables of confusions nor the tasks explain.

The idea that a copier shares another's errors, and with it the mixture below, is that of Dong, Berti-Equille and
Srivastava (VLDB 2009) for sources of data; here what is right is uncertain, and tasks differ in difficulty.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy.stats import chi2

from outgrow.core.arrays import Float, Int
from outgrow.reliability.annotators.crowd import CrowdVotes
from outgrow.reliability.annotators.state_fit import Parents, Piece, StateFit

COPIES = pa.schema(
    [
        pa.field("annotator", pa.string(), nullable=False),
        pa.field("other", pa.string(), nullable=False),
        pa.field("tasks", pa.int64(), nullable=False),  # that both answered
        pa.field("agreement", pa.float64(), nullable=False),  # share of them with the same answer
        pa.field("rate", pa.float64(), nullable=False),  # estimated share of answers that are copies
        pa.field("low", pa.float64(), nullable=False),  # 95 % interval of it
        pa.field("high", pa.float64(), nullable=False),
        pa.field("p_value", pa.float64(), nullable=False),  # of no more copying than between any two, Bonferroni
    ]
)
LEAST_RATE = 0.2
"""Copying below this is not reported: small excess agreement has many causes."""
LEVEL = 0.05
MOST_PAIRS = 4_000_000
"""Pairs of votes that are looked at; above, tasks are thinned evenly."""
PAIRS_AT_ONCE = 50_000


@dataclass(frozen=True)
class Evidence:
    """Pairs of votes on the same task.

    Attributes:
        first: annotator of the one vote, the lower number.
        second: of the other.
        apart: P(both votes | other votes on the task), if neither is a copy.
        copied: the same, if one is a copy of the other.
    """

    first: Int[np.ndarray, "pairs"]
    second: Int[np.ndarray, "pairs"]
    apart: Float[np.ndarray, "pairs"]
    copied: Float[np.ndarray, "pairs"]


def scan(fit: StateFit) -> pa.Table:
    """Pairs of annotators of whom one copies the other (`COPIES`), the surest first.

    For every pair the share c of copies is the one that makes their votes likeliest, each task judged by the *other*
    annotators' votes: P(votes) = (1 - c) P(votes if apart) + c P(votes if copied). Where everybody agrees the two are
    the same, so agreement on easy tasks says nothing. A pair is reported if c is above what is usual between any two
    (one c for all pairs) at `LEVEL`, corrected for the number of pairs, and at least `LEAST_RATE`.
    """
    votes, evidence = fit.votes, _collect(fit)
    if evidence is None:
        return COPIES.empty_table()
    n = len(votes.annotators)
    key, pair = np.unique(evidence.first * n + evidence.second, return_inverse=True)
    count = np.bincount(pair)
    usual = float(_rates(evidence, np.zeros(len(pair), np.int64), np.array([len(pair)]))[0])
    rate = _rates(evidence, pair, count)
    best = _log_likelihood(evidence, pair, rate, len(key))
    ratio = 2 * (best - _log_likelihood(evidence, pair, np.full(len(key), usual), len(key)))
    p = np.asarray(np.minimum(np.where(rate > usual, chi2.sf(ratio, 1) / 2, 1.0) * len(key), 1.0))
    at = np.flatnonzero((p < LEVEL) & (rate >= LEAST_RATE))
    if not len(at):
        return COPIES.empty_table()
    at = at[np.lexsort((key[at], -ratio[at]))]
    low, high = _interval(evidence, pair, rate, best, at)
    same = np.bincount(pair, evidence.copied > 0) / count
    names = votes.annotators
    return pa.table(
        [
            names.take(pa.array(key[at] // n)), names.take(pa.array(key[at] % n)), pa.array(count[at]),
            pa.array(same[at]), pa.array(rate[at]), pa.array(low), pa.array(high), pa.array(p[at]),
        ],
        schema=COPIES,
    )  # fmt: skip


def parents_of(votes: CrowdVotes, copies: pa.Table) -> Parents | None:
    """For each vote the vote of the same task that it most likely repeats, of an annotator with a lower number."""
    if not copies.num_rows:
        return None
    n = len(votes.annotators)
    one, other = (
        pc.index_in(copies[name], value_set=votes.annotators).to_numpy().astype(np.int64)
        for name in ("annotator", "other")
    )
    by_key = np.argsort(one * n + other)
    key, rates = (one * n + other)[by_key], np.asarray(copies["rate"].to_numpy())[by_key]
    concerned = np.zeros(n, bool)
    concerned[one] = concerned[other] = True
    rows = np.flatnonzero(votes.single & concerned[votes.annotator])
    first, second = _pairs_within(votes.task[rows])
    first, second = rows[first], rows[second]
    pair = votes.annotator[first] * n + votes.annotator[second]
    at = np.minimum(np.searchsorted(key, pair), len(key) - 1)
    rate = np.where(key[at] == pair, rates[at], 0.0)
    order = np.argsort(rate, kind="stable")
    order = order[rate[order] > 0]
    row, share = np.full(len(votes), -1), np.zeros(len(votes))
    row[second[order]], share[second[order]] = first[order], rate[order]  # the highest rate is written last
    return Parents(row, share)


def _collect(fit: StateFit) -> Evidence | None:
    votes = fit.votes
    per_task = np.bincount(votes.task[votes.single], minlength=len(votes.tasks)).astype(np.float64)
    every = max(1, int(np.ceil((per_task * (per_task - 1) / 2).sum() / MOST_PAIRS)))
    parts = []
    for piece in fit.pieces():
        rows = np.arange(votes.offsets[piece.tasks.start], votes.offsets[piece.tasks.stop])
        rows = rows[votes.single[rows] & (votes.task[rows] % every == 0)]
        first, second = _pairs_within(votes.task[rows])
        for i in range(0, len(first), PAIRS_AT_ONCE):
            at = slice(i, i + PAIRS_AT_ONCE)
            parts.append(_evidence(fit, piece, rows[first[at]], rows[second[at]]))
    if not parts:
        return None
    columns = zip(*((e.first, e.second, e.apart, e.copied) for e in parts), strict=True)
    return Evidence(*(np.concatenate(column) for column in columns))


def _evidence(fit: StateFit, piece: Piece, a: Int[np.ndarray, "pairs"], b: Int[np.ndarray, "pairs"]) -> Evidence:
    votes, kind = fit.votes, fit.kind
    rest = piece.states[votes.task[a] - piece.tasks.start]
    rest = rest / np.maximum(fit.vote[kind[a]] * fit.vote[kind[b]], 1e-300)  # of the other votes alone
    rest /= np.maximum(rest.sum(axis=1, keepdims=True), 1e-300)
    one, two = fit.alone[kind[a]], fit.alone[kind[b]]
    apart = np.einsum("ps,ps,ps->p", rest, one, two)
    single = np.sqrt(np.einsum("ps,ps->p", rest, one) * np.einsum("ps,ps->p", rest, two))
    copied = np.where(votes.label[a] == votes.label[b], single, 0.0)
    return Evidence(votes.annotator[a], votes.annotator[b], np.maximum(apart, 1e-300), copied)


def _pairs_within(task: Int[np.ndarray, "rows"]) -> tuple[Int[np.ndarray, "pairs"], Int[np.ndarray, "pairs"]]:
    """All pairs of rows with the same task, of rows sorted by it."""
    if not len(task):
        return task, task
    start = np.flatnonzero(np.diff(task, prepend=task[0] - 1))
    size = np.diff(start, append=len(task))
    left = np.repeat(start + size, size) - np.arange(len(task)) - 1  # rows of the same task that follow
    first = np.repeat(np.arange(len(task)), left)
    ends = np.cumsum(left)
    second = first + 1 + np.arange(len(first)) - np.repeat(ends - left, left)
    return first, second


def _rates(
    evidence: Evidence, pair: Int[np.ndarray, "votes"], count: Int[np.ndarray, "pairs"], steps: int = 60
) -> Float[np.ndarray, "pairs"]:
    """The share of copies of every pair that makes its votes likeliest (EM of a mixture of two)."""
    rate = np.full(len(count), 0.2)
    for _ in range(steps):
        copied = rate[pair] * evidence.copied
        rate = np.bincount(pair, copied / ((1 - rate[pair]) * evidence.apart + copied), len(count)) / count
    return rate


def _log_likelihood(
    evidence: Evidence, pair: Int[np.ndarray, "votes"], rate: Float[np.ndarray, "pairs"], n: int
) -> Float[np.ndarray, "pairs"]:
    share = rate[pair]
    return np.bincount(pair, np.log(np.maximum((1 - share) * evidence.apart + share * evidence.copied, 1e-300)), n)


def _interval(
    evidence: Evidence,
    pair: Int[np.ndarray, "votes"],
    rate: Float[np.ndarray, "pairs"],
    best: Float[np.ndarray, "pairs"],
    at: Int[np.ndarray, "reported"],
) -> tuple[Float[np.ndarray, "reported"], Float[np.ndarray, "reported"]]:
    """Where the likelihood of a pair falls short of its best by half the 95 % point of chi-square, by bisection."""
    place = np.full(len(rate), -1)
    place[at] = np.arange(len(at))
    use = place[pair] >= 0
    some = Evidence(evidence.first[use], evidence.second[use], evidence.apart[use], evidence.copied[use])
    of, least = place[pair[use]], best[at] - chi2.isf(0.05, 1) / 2
    ends = []
    for edge in (0.0, 1.0):
        inside, outside = rate[at].copy(), np.full(len(at), edge)
        for _ in range(30):
            middle = (inside + outside) / 2
            good = _log_likelihood(some, of, middle, len(at)) >= least
            inside, outside = np.where(good, middle, inside), np.where(good, outside, middle)
        ends.append(inside)
    return ends[0], ends[1]

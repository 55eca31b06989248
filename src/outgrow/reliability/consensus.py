"""The most frequent valid answer of each question, and how ties are broken (definition 2)."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from outgrow.core.arrays import Float, Int
from outgrow.reliability.groups import group_means
from outgrow.reliability.hashing import digests
from outgrow.reliability.votes import Votes


def consensus(votes: Votes, logprob: Float[np.ndarray, "rows"] | None, *, seed: int) -> Int[np.ndarray, "questions"]:
    """Entry of each question's consensus; -1 where every answer is invalid.

    Ties go to the higher mean log-probability if every row that gave a tied answer has one, else to
    the smallest sha256(seed, example_id, value).
    """
    chosen = np.where(votes.offsets[1:] > votes.offsets[:-1], votes.offsets[:-1], -1)
    leading = votes.leading
    n_leading = np.bincount(votes.entry_question[leading], minlength=len(votes.asked))
    tied = np.flatnonzero(leading & (n_leading > 1)[votes.entry_question])
    if len(tied) == 0:
        return np.asarray(chosen)
    if logprob is not None:
        tied = _most_probable(votes, tied, logprob)
    question = votes.entry_question[tied]
    alone = np.bincount(question, minlength=len(votes.asked))[question] == 1
    chosen[question[alone]] = tied[alone]
    tied, question = tied[~alone], question[~alone]
    names = votes.example_ids.take(pa.array(question)).to_pylist()
    values = votes.values.take(pa.array(votes.entry_value[tied])).to_pylist()
    smallest: dict[int, bytes] = {}
    for entry, q, digest in zip(tied.tolist(), question.tolist(), digests([seed], names, values), strict=True):
        if q not in smallest or digest < smallest[q]:
            smallest[q] = digest
            chosen[q] = entry
    return np.asarray(chosen)


def _most_probable(
    votes: Votes, tied: Int[np.ndarray, "tied"], logprob: Float[np.ndarray, "rows"]
) -> Int[np.ndarray, "kept"]:
    """Of each question's tied entries those with the highest mean; all of them where a row lacks its own."""
    width = len(votes.values)
    keys = votes.entry_question[tied] * width + votes.entry_value[tied]
    by_key = np.argsort(keys)
    rows = np.flatnonzero((votes.value >= 0) & np.isin(votes.question, votes.entry_question[tied]))
    row_keys = votes.question[rows] * width + votes.value[rows]
    place = np.searchsorted(keys[by_key], row_keys)
    hit = place < len(keys)
    hit[hit] = keys[by_key][place[hit]] == row_keys[hit]
    entry, x = by_key[place[hit]], logprob[rows[hit]]
    mean = group_means(entry, x, len(tied))
    question = votes.entry_question[tied]
    lacking = np.bincount(question[entry[np.isnan(x)]], minlength=len(votes.asked)) > 0
    highest = np.full(len(votes.asked), -np.inf)
    given = ~np.isnan(mean)
    np.maximum.at(highest, question[given], mean[given])
    return np.asarray(tied[lacking[question] | (mean == highest[question])])

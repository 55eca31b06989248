"""Keeping a part of the questions: the most certain, a random part, or the published percentile (definition 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.arrays import Bool, Float, Int
from outgrow.core.encoding import encode
from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.reliability.hashing import digests, hash_order

By = Literal["entropy", "entropy_then_logprob", "reliability"]
Stratify = Literal["label"] | str | None


def most_certain(
    labels: pa.Table, *, fraction: float, seed: int, by: By | str = "entropy", stratify: Stratify = None
) -> pa.Table:
    """The `fraction` of questions whose labels are most certain, in table order ("uncertainty filtering").

    k = floor(fraction * n + 1/2) of the n questions with a consensus. Order: entropy ascending
    (`entropy`), then mean log-probability of the consensus descending (`entropy_then_logprob`), or
    reliability descending (`reliability`); then sha256(seed, example_id).

    Raises:
        ConfigError: unknown `by` or `stratify`.
        DataError: a question has several labels, or none has a consensus.
        PrerequisiteError: the fraction is not above 0 up to 1, or the measure is missing for a question.

    Examples:
        >>> import pyarrow as pa
        >>> from outgrow.reliability import agreement
        >>> answers = pa.table({"example_id": [*"ppprrrsss"], "value": [*"aab", *"bbb", *"abc"]})
        >>> most_certain(agreement(answers), fraction=0.5, seed=0)["example_id"].to_pylist()
        ['p', 'r']
    """
    if by not in get_args(By):
        raise ConfigError(f"unknown order {by!r}; choose one of {', '.join(get_args(By))}")
    use = with_consensus(labels)
    scores = [-_measure(labels, "reliability", use)] if by == "reliability" else [_measure(labels, "entropy", use)]
    if by == "entropy_then_logprob":
        scores.append(-_measure(labels, "mean_logprob", use))
    return keep_lowest(labels, scores, fraction=fraction, seed=seed, stratify=stratify)


def at_random(labels: pa.Table, *, fraction: float, seed: int, stratify: Stratify = None) -> pa.Table:
    """As many questions as `most_certain` keeps, drawn by sha256("random", seed, example_id).

    The draw is independent of the order that breaks the ties of `most_certain`.
    """
    return keep_lowest(labels, [], fraction=fraction, seed=seed, stratify=stratify, salt=("random", seed))


def keep_lowest(
    labels: pa.Table,
    scores: Sequence[Float[np.ndarray, "questions"]],
    *,
    fraction: float,
    seed: int,
    stratify: Stratify = None,
    salt: Sequence[object] | None = None,
) -> pa.Table:
    """The k questions that come first by `scores` (one value per row of `labels`, ascending, first score first).

    Ties are ordered by sha256(seed, example_id), or sha256(*salt, example_id). Labels without a consensus
    are never kept. With `stratify="label"` every consensus value keeps its share of the k, by largest remainders.

    Raises:
        ConfigError: unknown `stratify`.
        DataError: a question has several labels, or none has a consensus.
        PrerequisiteError: the fraction is not above 0 up to 1, or it keeps no question.
    """
    if not 0 < fraction <= 1:
        raise PrerequisiteError(f"the fraction of questions to keep must be above 0 and at most 1, not {fraction!r}")
    if stratify not in (None, "label"):
        raise ConfigError(f"unknown stratify {stratify!r}; choose 'label' or leave it out")
    use = np.flatnonzero(with_consensus(labels))
    if len(use) == 0:
        raise DataError("no question has a consensus; there is nothing to keep")
    ids = labels.column("example_id")
    if pc.count_distinct(ids).as_py() != len(ids):
        raise DataError("labels hold several rows for one question; keep one label per question before filtering")
    prefix = [seed] if salt is None else salt
    k = int(np.floor(fraction * len(use) + 0.5))
    if k == 0:
        raise PrerequisiteError(
            f"a share of {fraction:g} of {len(use)} questions with a consensus keeps none; "
            f"keep at least {0.5 / len(use):.2g}"
        )
    columns = [np.asarray(score, dtype=np.float64)[use] for score in scores]
    names = ids.take(pa.array(use))
    if stratify is None:
        kept = _first(columns, names, k, prefix)
    else:
        value = encode(labels.column("value").take(pa.array(use)))
        parts = []
        for code, quota in enumerate(_quotas(value.codes, value.names, k, seed).tolist()):
            members = np.flatnonzero(value.codes == code)
            chosen = _first([c[members] for c in columns], names.take(pa.array(members)), quota, prefix)
            parts.append(members[chosen])
        kept = np.concatenate(parts)
    return labels.take(pa.array(np.sort(use[kept])))


def published_filter(labels: pa.Table, *, percentile: float | int = 50) -> pa.Table:
    """Questions whose entropy is at most the given percentile over *rows* (arXiv 2406.19032, code).

    A row is one answer, so a question counts K times; the percentile interpolates linearly and
    ties at the threshold all stay, which can keep far more than the percentile says. The threshold
    stands in the metadata as `threshold`. Labels without a consensus count, but are not kept.

    Raises:
        PrerequisiteError: the percentile is outside 0 to 100, or entropy is missing (K = 1).
    """
    if not 0 <= percentile <= 100:
        raise PrerequisiteError(f"percentile must lie between 0 and 100, not {percentile!r}")
    everything = np.ones(labels.num_rows, bool)
    entropy = _measure(labels, "entropy", everything)
    asked = pc.add(labels.column("n_valid"), labels.column("n_invalid")).to_numpy()
    threshold = float(np.percentile(np.repeat(entropy, asked), percentile))
    kept = labels.filter(pa.array((entropy <= threshold) & with_consensus(labels)))
    return kept.replace_schema_metadata({**(labels.schema.metadata or {}), "threshold": repr(threshold)})


def with_consensus(labels: pa.Table) -> Bool[np.ndarray, "questions"]:
    """Which labels have a value."""
    return np.asarray(labels.column("value").is_valid().to_numpy(), dtype=bool)


def label_mix(labels: pa.Table) -> dict[str, float]:
    """Share of each value among the labels (or training rows' targets) that have one, largest first.

    Examples:
        >>> import pyarrow as pa
        >>> label_mix(pa.table({"value": ["no", "yes", None, "yes", "yes"]}))
        {'yes': 0.75, 'no': 0.25}
    """
    values = labels.column("value" if "value" in labels.column_names else "target").drop_null()
    counts = {c["values"]: c["counts"] for c in values.value_counts().to_pylist()}
    ordered = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return {value: count / len(values) for value, count in ordered}


def _measure(labels: pa.Table, name: str, use: Bool[np.ndarray, "questions"]) -> Float[np.ndarray, "questions"]:
    found = np.asarray(labels.column(name).cast(pa.float64()).to_numpy())
    missing = int(np.isnan(found[use]).sum())
    if missing:
        why = {
            "entropy": "a question asked once has no entropy: ask each at least twice",
            "mean_logprob": "the answers need a 'logprob'",
            "reliability": "ask each question at least twice, or choose an estimator whose column the answers have",
        }[name]
        raise PrerequisiteError(f"{missing} of {int(use.sum())} questions have no {name} ({why})")
    return found


def _first(
    columns: Sequence[Float[np.ndarray, "n"]], names: pa.ChunkedArray, k: int, prefix: Sequence[object]
) -> Int[np.ndarray, "k"]:
    """Positions of the first k; only the ties at the cut are hashed."""
    n = len(names)
    if k >= n:
        return np.arange(n)
    if k <= 0:
        return np.arange(0)
    order = np.lexsort(tuple(reversed(columns))) if columns else np.arange(n)
    cut = order[k - 1]
    tied = np.ones(n, bool)
    for column in columns:
        tied &= column == column[cut]
    place = np.flatnonzero(tied[order])
    start, stop = int(place[0]), int(place[-1]) + 1
    if stop == k:
        return np.asarray(order[:k])
    ties = order[start:stop]
    by_hash = hash_order(prefix, names.take(pa.array(ties)).to_pylist())
    return np.concatenate([order[:start], ties[by_hash[: k - start]]])


def _quotas(codes: Int[np.ndarray, "n"], names: pa.Array, k: int, seed: int) -> Int[np.ndarray, "values"]:
    """How many of the k each value gets: largest remainders, equal ones by sha256(seed, value)."""
    exact = k * np.bincount(codes, minlength=len(names)) / len(codes)
    quota = np.floor(exact).astype(np.int64)
    digest = digests([seed], names.to_pylist())
    order = sorted(range(len(names)), key=lambda i: (quota[i] - exact[i], digest[i]))
    quota[order[: k - int(quota.sum())]] += 1
    return quota

"""How good the supervisor's labels are, and how well their reliability tells right from wrong (definition 9)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float

from outgrow import evaluation as ev
from outgrow.experiment.results.views import Seed, Split
from outgrow.reliability.agreement import as_floats


@dataclass(frozen=True)
class Rated:
    """Consensus labels of one seed: all of them, and those that carry a reliability."""

    truth: list[str]
    label: list[str | None]
    reliability: Float[np.ndarray, "labels"]
    score: Float[np.ndarray, "rated"]
    right: Bool[np.ndarray, "rated"]
    entropy: Float[np.ndarray, "rated"]
    ids: list[str]  # of the rated


def label_quality(seeds: Sequence[Seed], pool: Split, *, estimator: str, temperature: float) -> dict[str, Any]:
    """The block `reliability` of the results: AUROC, entropy levels, heat map, risk-coverage, shares.

    Questions are pooled over seeds where counts are shown; AUROC is the mean over seeds.
    """
    rated = [rate(seed, pool) for seed in seeds]
    scores = np.concatenate([r.score for r in rated])
    right = np.concatenate([r.right for r in rated])
    aurocs = [ev.auroc(r.score, r.right) if r.score.size else math.nan for r in rated]
    levels = ev.entropy_levels(np.concatenate([r.entropy for r in rated]), right)
    low, high = auroc_interval(rated, pool)
    asked = sum(s.pool_answers.num_rows for s in seeds)
    return {
        "estimator": estimator,
        "temperature": temperature,
        "auroc": {"value": mean_of(aurocs), "low": low, "high": high, "per_seed": aurocs},
        "auroc_rows": row_auroc(seeds, pool),
        "aurc": ev.aurc(scores, right) if scores.size else math.nan,
        "by_entropy": [{**asdict(level), "accuracy": level.accuracy} for level in levels],
        "heat": heat_map(rated),
        "risk_coverage": risk(scores, right),
        "differing_share": differing(seeds),
        "unparsed_share": sum(s.pool_answers["value"].null_count for s in seeds) / asked,
        "all_invalid": sum(s.pool["value"].null_count for s in seeds),
        "label_accuracy": mean_of(
            [float(np.mean([a == b for a, b in zip(r.truth, r.label, strict=True)])) for r in rated]
        ),
    }


def rate(seed: Seed, pool: Split) -> Rated:
    """One seed's labels with the truth beside them."""
    ids, values = seed.pool["example_id"].to_pylist(), seed.pool["value"].to_pylist()
    truth = [pool.gold[i] for i in ids]
    right = np.array([v is not None and v == t for t, v in zip(truth, values, strict=True)], dtype=bool)
    reliability = as_floats(seed.pool["reliability"])
    use = ~np.isnan(reliability) & np.array([v is not None for v in values], dtype=bool)
    entropy = as_floats(seed.pool["entropy"])
    rated = [i for i, used in zip(ids, use.tolist(), strict=True) if used]
    return Rated(truth, values, reliability, reliability[use], right[use], entropy[use], rated)


def auroc_interval(rated: Sequence[Rated], pool: Split) -> tuple[float, float]:
    """95 % interval of the mean AUROC over seeds, from its errors over questions and seeds; NaN from one seed.

    A question that carries no reliability in a seed contributes nothing there; a seed without two classes is left out.
    """
    place = {question: i for i, question in enumerate(pool.ids)}
    contributions = []
    for r in rated:
        parts = ev.auroc_contributions(r.score, r.right) if r.score.size else np.array([math.nan])
        if math.isnan(value := float(parts.mean())):
            continue
        row = np.full(len(pool.ids), value)
        row[[place[i] for i in r.ids]] += (parts - value) * len(pool.ids) / len(parts)
        contributions.append(row)
    if not contributions:
        return math.nan, math.nan
    interval = ev.Joint({"auroc": np.stack(contributions)}, pool.groups).interval({"auroc": 1})
    return interval.low, interval.high


def row_auroc(seeds: Sequence[Seed], pool: Split) -> float:
    """Row-level AUROC of minus entropy for "the answer is right", as in the figures of arXiv 2406.19032."""
    score: list[float] = []
    right: list[bool] = []
    for seed in seeds:
        entropy = dict(zip(seed.pool["example_id"].to_pylist(), as_floats(seed.pool["entropy"]).tolist(), strict=True))
        answers = seed.pool_answers
        for i, value in zip(answers["example_id"].to_pylist(), answers["value"].to_pylist(), strict=True):
            if value is not None and not math.isnan(entropy[i]):
                score.append(-entropy[i])
                right.append(value == pool.gold[i])
    return ev.auroc(np.array(score), np.array(right, dtype=bool)) if score else math.nan


def heat_map(rated: Sequence[Rated]) -> dict[str, Any] | None:
    """Mean reliability by truth and label; None above 30 values, where a map says nothing."""
    heat = ev.reliability_heat(
        [t for r in rated for t in r.truth],
        [v for r in rated for v in r.label],
        np.concatenate([r.reliability for r in rated]),
    )
    if not 0 < len(heat.truth) <= 30:
        return None
    return {
        "truth": list(heat.truth),
        "label": list(heat.label),
        "mean": heat.mean.tolist(),
        "count": heat.count.tolist(),
    }


def differing(seeds: Sequence[Seed]) -> float:
    """Share of questions whose answers are not all the same; an invalid answer agrees with nobody."""
    shares = []
    for seed in seeds:
        pairs = zip(seed.pool["votes"].to_pylist(), seed.pool["n_invalid"].to_pylist(), strict=True)
        shares += [len(votes) + invalid > 1 for votes, invalid in pairs]
    return float(np.mean(shares))


def risk(scores: Float[np.ndarray, "n"], right: Bool[np.ndarray, "n"]) -> dict[str, Any]:
    """Risk-coverage of the scores, of a perfect order, and of none; at most 200 points."""
    if not scores.size:
        return {"coverage": [], "risk": [], "oracle": [], "random": math.nan}
    curve = ev.risk_coverage(scores, right).thinned()
    oracle = ev.risk_coverage(right.astype(np.float64), right).thinned()
    return {
        "coverage": curve.coverage.tolist(),
        "risk": curve.risk.tolist(),
        "oracle": oracle.risk.tolist(),
        "random": float(1 - right.mean()),
    }


def mean_of(values: Sequence[float]) -> float:
    """Mean of the numbers that are there; NaN where none is."""
    usable = [value for value in values if not math.isnan(value)]
    return float(np.mean(usable)) if usable else math.nan

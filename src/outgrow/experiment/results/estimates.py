"""What can be said of labels without all their gold: their accuracy, and P(correct) from a few known labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from outgrow import evaluation as ev
from outgrow.core.errors import DataError, PrerequisiteError
from outgrow.experiment.results.views import Seed, Split
from outgrow.experiment.results.vote_accuracy import VoteAccuracy
from outgrow.experiment.steps import Steps
from outgrow.reliability import AccuracyEstimate, accuracy_from_decoys, calibrate
from outgrow.reliability.agreement import as_floats

CALIBRATOR = "platt"


def accuracy_by_votes(
    steps: Steps, seeds: Sequence[Seed], pool: Split, options: Mapping[str, int] | None
) -> dict[str, Any]:
    """Per seed the accuracy of the consensus labels estimated from votes, and the truth beside it.

    Args:
        steps: keeps the estimates.
        seeds: what each seed's supervisor said.
        pool: the questions with their gold, which the estimate does not see.
        options: question to its number of options; None for free answers.

    Returns:
        `seeds`, each with `estimate`, `low`, `high` and `truth`, the `method` and its `assumptions`; or the `reason`
        why not.
    """
    groups = {i: str(group) for i, group in zip(pool.ids, pool.groups.tolist(), strict=True)}
    return _estimated(seeds, pool, lambda k: steps.do(VoteAccuracy(seeds[k].pool, options, groups, seeds[k].seed)))


def accuracy_by_decoys(seeds: Sequence[Seed], pool: Split, labels: Sequence[pa.Table], key: pa.Table) -> dict[str, Any]:
    """The same from questions asked again with an option exchanged for a decoy.

    Args:
        seeds: what each seed's supervisor said.
        pool: the questions with their gold.
        labels: per seed the labels of the decoy questions.
        key: which option of which was exchanged (`outgrow.reliability.DecoyQuestions`).
    """
    return _estimated(seeds, pool, lambda k: accuracy_from_decoys(labels[k], key))


def _estimated(seeds: Sequence[Seed], pool: Split, estimate: Callable[[int], AccuracyEstimate]) -> dict[str, Any]:
    found, method, assumptions = [], "", ""
    for k, seed in enumerate(seeds):
        try:
            made = estimate(k)
        except (DataError, PrerequisiteError) as error:
            return {"seeds": [], "method": "", "assumptions": "", "reason": str(error)}
        said = [(i, v) for i, v in _values(seed.pool) if v is not None]
        truth = float(np.mean([pool.gold[i] == v for i, v in said]))
        found.append({"seed": seed.seed, "estimate": made.estimate, "low": made.low, "high": made.high, "truth": truth})
        method, assumptions = made.method, made.assumptions
    return {"seeds": found, "method": method, "assumptions": assumptions, "reason": None}


def calibration_quality(seeds: Sequence[Seed], pool: Split, known: Split | None) -> dict[str, Any] | None:
    """Calibration error on the pool of P(correct) learnt from `known`; None where the task has no known questions.

    Returns:
        The calibrator, the gold labels it bought, and per seed the `value`, `low`, `high` and `debiased` error; or a
        `reason` why it could not be learnt.
    """
    if known is None or any(seed.known is None for seed in seeds):
        return None
    groups = dict(zip(known.ids, (str(group) for group in known.groups.tolist()), strict=True))
    about = {"kind": CALIBRATOR, "known": len(known.ids)}
    found = []
    for seed in seeds:
        assert seed.known is not None
        try:
            rated = calibrate(seed.pool, seed.known, known.gold_table(), kind=CALIBRATOR, seed=seed.seed, groups=groups)
        except (DataError, PrerequisiteError) as error:
            return {**about, "seeds": [], "reason": str(error)}
        pairs = _values(seed.pool)
        valid = np.array([v is not None for _, v in pairs])
        right = np.array([v == pool.gold[i] for i, v in pairs])[valid]
        place = dict(zip(pool.ids, pool.groups.tolist(), strict=True))
        clusters = np.array([place[i] for i, _ in pairs])[valid]
        _, codes = np.unique(clusters, return_inverse=True)
        made = asdict(ev.ece(as_floats(rated["reliability"])[valid], right, groups=codes, draws=1000, seed=seed.seed))
        found.append({"seed": seed.seed, **{name: made[name] for name in ("value", "low", "high", "debiased")}})
    return {**about, "seeds": found, "reason": None}


def _values(labels: Any) -> list[tuple[str, str | None]]:
    return list(zip(labels["example_id"].to_pylist(), labels["value"].to_pylist(), strict=True))

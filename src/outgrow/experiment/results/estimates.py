"""What can be said of labels without all their gold: their accuracy, and P(correct) from a few known labels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np
import pyarrow as pa

from outgrow import evaluation as ev
from outgrow.core.errors import DataError, PrerequisiteError
from outgrow.experiment.results.views import Seed, Split, values_of
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
    groups = {question: str(group) for question, group in pool.group_of.items()}
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
    records, method, assumptions = [], "", ""
    for k, seed in enumerate(seeds):
        try:
            accuracy = estimate(k)
        except (DataError, PrerequisiteError) as error:
            return {"seeds": [], "method": "", "assumptions": "", "reason": str(error)}
        truth = float(
            np.mean([pool.gold[i] == value for i, value in values_of(seed.pool).items() if value is not None])
        )
        interval = {"estimate": accuracy.estimate, "low": accuracy.low, "high": accuracy.high}
        records.append({"seed": seed.seed, **interval, "truth": truth})
        method, assumptions = accuracy.method, accuracy.assumptions
    return {"seeds": records, "method": method, "assumptions": assumptions, "reason": None}


def calibration_quality(seeds: Sequence[Seed], pool: Split, known: Split | None) -> dict[str, Any] | None:
    """Calibration error on the pool of P(correct) learnt from `known`; None where the task has no known questions.

    Returns:
        The calibrator, the gold labels it bought, and per seed the error (`outgrow.evaluation.Calibration`); or a
        `reason` why it could not be learnt.
    """
    if known is None or any(seed.known is None for seed in seeds):
        return None
    groups = {question: str(group) for question, group in known.group_of.items()}
    clusters = pool.group_of
    about = {"kind": CALIBRATOR, "known": len(known.ids)}
    records = []
    for seed in seeds:
        assert seed.known is not None
        try:
            rated = calibrate(seed.pool, seed.known, known.gold_table(), kind=CALIBRATOR, seed=seed.seed, groups=groups)
        except (DataError, PrerequisiteError) as error:
            return {**about, "seeds": [], "reason": str(error)}
        labels = values_of(seed.pool)
        valid = np.array([value is not None for value in labels.values()])
        right = np.array([value == pool.gold[i] for i, value in labels.items()])[valid]
        _, codes = np.unique(np.array([clusters[i] for i in labels])[valid], return_inverse=True)
        ece = asdict(ev.ece(as_floats(rated["reliability"])[valid], right, groups=codes, draws=1000, seed=seed.seed))
        records.append(
            {"seed": seed.seed, **{name: ece[name] for name in ("value", "expected", "debiased", "low", "high")}}
        )
    return {**about, "seeds": records, "reason": None}

"""What can be said of labels without all their gold: accuracy from votes alone, P(correct) from a few known labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import numpy as np

from outgrow import evaluation as ev
from outgrow.errors import DataError, PrerequisiteError
from outgrow.reliability import accuracy_from_votes, calibrate
from outgrow.reliability.agreement import as_floats
from outgrow.results.views import Seed, Split

CALIBRATOR = "platt"


def label_free_accuracy(seeds: Sequence[Seed], pool: Split, options: Mapping[str, int] | None) -> dict[str, Any]:
    """Per seed the accuracy of the consensus labels estimated from votes, and the truth beside it.

    Args:
        seeds: what each seed's supervisor said.
        pool: the questions with their gold, which the estimate does not see.
        options: question to its number of options; None for free answers.

    Returns:
        `seeds`, each with `estimate`, `low`, `high` and `truth`, and the `assumptions`; or the `reason` why not.
    """
    groups = {i: str(group) for i, group in zip(pool.ids, pool.groups.tolist(), strict=True)}
    found, assumptions = [], ""
    for seed in seeds:
        try:
            made = accuracy_from_votes(seed.pool, options=options, groups=groups, seed=seed.seed)
        except (DataError, PrerequisiteError) as error:
            return {"seeds": [], "assumptions": "", "reason": str(error)}
        said = {i: v for i, v in _values(seed.pool) if v is not None}
        truth = float(np.mean([pool.gold[i] == v for i, v in said.items()]))
        found.append({"seed": seed.seed, "estimate": made.estimate, "low": made.low, "high": made.high, "truth": truth})
        assumptions = made.assumptions
    return {"seeds": found, "assumptions": assumptions, "reason": None}


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

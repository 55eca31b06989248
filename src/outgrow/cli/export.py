"""`outgrow export`: a trained model out of the store, as a folder of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

from rich.console import Console

from outgrow.core.errors import DataError
from outgrow.core.names import unknown


def trainings(run: Path) -> dict[tuple[str, int], str]:
    """(arm, seed) -> key of the training step, from a run's folder.

    Raises:
        DataError: the folder has no provenance.json of a run.
    """
    from outgrow.reporting.run import load_run

    provenance = load_run(run).provenance
    if provenance is None:
        raise DataError(f"{run / 'provenance.json'} does not exist; give the folder of a finished run")
    return {(each.name, each.seed): each.key for each in provenance.trained}


def export(run: Path, *, arm: str, seed: int, store: str | Path, out: Path) -> None:
    """Copy the model that an arm (or a supervisor) was trained into to `out`, whole or not at all.

    Raises:
        DataError: the run has no such training, or `out` exists.
        StoreError: the store does not hold the result, or it is damaged.
    """
    from outgrow.store import Store

    found = trainings(run)
    if not found:
        raise DataError(f"{run} trained no model")
    arms, seeds = (list(dict.fromkeys(part)) for part in zip(*found, strict=True))
    if arm not in arms:
        raise DataError(unknown("arm", arm, arms))
    if (arm, seed) not in found:
        raise DataError(f"{run} trained '{arm}' with the seeds {', '.join(map(str, seeds))}; there is no seed {seed}")
    if out.exists():
        raise DataError(f"{out} exists already; give a folder that does not")
    # Unsealed: the user may have what saw gold; only methods may not.
    model = Store(store, unsealed=True).open(found[arm, seed]).path("model")
    half = out.with_name(f".{out.name}.part")
    shutil.rmtree(half, ignore_errors=True)
    try:
        shutil.copytree(model, half)
        half.rename(out)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    Console(soft_wrap=True, highlight=False).print(f"model: {out}", markup=False)

"""The models that a run trained: which there are, and a copy of one out of the store."""

from __future__ import annotations

import shutil
from pathlib import Path

from outgrow.core.errors import DataError, OutgrowError
from outgrow.core.names import unknown
from outgrow.reporting.run import read_folder
from outgrow.store import Store


def trainings(run: Path | str) -> dict[tuple[str, int], str]:
    """(arm, seed) -> key of the training step, from a run's folder.

    Raises:
        DataError: the folder has no provenance.json of a run.
    """
    provenance = read_folder(Path(run)).provenance
    if provenance is None:
        raise DataError(f"{Path(run) / 'provenance.json'} does not exist; give the folder of a finished run")
    return {(each.name, each.seed): each.key for each in provenance.trained}


def export(run: Path | str, *, arm: str, out: Path | str, seed: int = 0, store: Path | str = "outgrow-store") -> Path:
    """Copy the model that an arm (or a supervisor) was trained into, whole or not at all.

    Args:
        run: the folder of a finished run.
        arm: its name, or the supervisor's.
        out: where the model goes, in Hugging Face format; must not exist.
        seed: that it was trained with.
        store: folder or URL of the store that the run used.

    Returns:
        `out`.

    Raises:
        DataError: the run has no such training, or `out` exists.
        StoreError: the store does not hold the result, or it is damaged.
    """
    out = Path(out)
    trained = trainings(run)
    if not trained:
        raise DataError(f"{run} trained no model")
    arms, seeds = (list(dict.fromkeys(part)) for part in zip(*trained, strict=True))
    if arm not in arms:
        raise DataError(unknown("arm", arm, arms))
    if (arm, seed) not in trained:
        raise DataError(f"{run} trained '{arm}' with the seeds {', '.join(map(str, seeds))}; there is no seed {seed}")
    if out.exists():
        raise DataError(f"{out} exists already; give a folder that does not")
    # Unsealed: the user may have what saw gold; only methods may not.
    model = Store(store, unsealed=True).open(trained[arm, seed]).path("model")
    half = out.with_name(f".{out.name}.part")
    shutil.rmtree(half, ignore_errors=True)
    try:
        shutil.copytree(model, half)
        half.rename(out)
    except OSError as error:
        raise OutgrowError(f"{out}: the model cannot be written there, and nothing was: {error}") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
    return out

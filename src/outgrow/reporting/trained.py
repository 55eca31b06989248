"""The models that a run trained: which there are, and a copy of one, or of its training rows, out of the store."""

from __future__ import annotations

import shutil
from pathlib import Path

from outgrow.core.errors import ConfigError, DataError, OutgrowError
from outgrow.core.names import unknown
from outgrow.io.export import write_rows
from outgrow.methods.weights import settle_weights
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


def export(
    run: Path | str,
    *,
    arm: str,
    out: Path | str,
    seed: int = 0,
    store: Path | str = "outgrow-store",
    format: str | None = None,
    weights: str | None = None,
    min_weight: float | int | None = None,
) -> Path:
    """Copy the model that an arm (or a supervisor) was trained into, or write what it was trained on.

    Args:
        run: the folder of a finished run.
        arm: its name, or the supervisor's.
        out: where the model goes, in Hugging Face format, and must not exist; with `format` the file of rows.
        seed: that it was trained with.
        store: folder or URL of the store that the run used.
        format: instead of the model write the rows or pairs of its (last) training in words, as `outgrow.write_rows`
            does; one of `outgrow.io.export.FORMATS`. The recipe's files must be where they were.
        weights: of the rows, where the format's reader ignores them: "resample", "threshold" or "keep-unused".
        min_weight: with "threshold", the least weight to keep; 1 is the mean.

    Returns:
        `out`.

    Raises:
        ConfigError: weights without a format; or as `outgrow.write_rows`.
        DataError: the run has no such training, `out` exists, or as `outgrow.write_rows`.
        StoreError: the store does not hold the result, or it is damaged.
    """
    out, key = Path(out), _training(run, arm, seed)
    if format is None and (weights is not None or min_weight is not None):
        raise ConfigError("weights are those of training rows; choose a --format for them")
    # Unsealed: the user may have what saw gold; only methods may not.
    opened = Store(store, unsealed=True)
    if format is not None:
        from outgrow.reporting.training_rows import rows_in_words

        rows = settle_weights(rows_in_words(run, key, opened), weights, seed=seed, min_weight=min_weight).rows
        write_rows(rows, out, format=format, keep_weights=weights == "keep-unused")
        return out
    if out.exists():
        raise DataError(f"{out} exists already; give a folder that does not")
    model = opened.open(key).path("model")
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


def _training(run: Path | str, arm: str, seed: int) -> str:
    """The key of the training step."""
    trained = trainings(run)
    if not trained:
        raise DataError(f"{run} trained no model")
    arms, seeds = (list(dict.fromkeys(part)) for part in zip(*trained, strict=True))
    if arm not in arms:
        raise DataError(unknown("arm", arm, arms))
    if (arm, seed) not in trained:
        raise DataError(f"{run} trained '{arm}' with the seeds {', '.join(map(str, seeds))}; there is no seed {seed}")
    return trained[arm, seed]

"""The verb `export`: a trained model out of the store, as a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outgrow.cli.options import Store


def trainings(run: Path) -> dict[tuple[str, int], str]:
    """(arm, seed) -> key of the training step, from a run's folder.

    Raises:
        DataError: the folder has no provenance.json of a run.
    """
    from outgrow.core.errors import DataError
    from outgrow.reporting.run import load_run

    provenance = load_run(run).provenance
    if provenance is None:
        raise DataError(f"{run / 'provenance.json'} does not exist; give the folder of a finished run")
    return {(each.name, each.seed): each.key for each in provenance.trained}


def export(
    folder: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    arm: Annotated[str, typer.Option(help="The arm, or the supervisor, whose model is wanted.")],
    out: Annotated[Path, typer.Option(help="Where the model goes, in Hugging Face format.")],
    seed: Annotated[int, typer.Option(help="The seed it was trained with.")] = 0,
    store: Store = "outgrow-store",
) -> None:
    """Copy a trained model out of the store."""
    import shutil

    from rich.console import Console

    from outgrow.core.errors import DataError
    from outgrow.core.names import unknown
    from outgrow.store import Store as Opened

    keys = trainings(folder)
    if not keys:
        raise DataError(f"{folder} trained no model")
    arms, seeds = (list(dict.fromkeys(part)) for part in zip(*keys, strict=True))
    if arm not in arms:
        raise DataError(unknown("arm", arm, arms))
    if (arm, seed) not in keys:
        raise DataError(
            f"{folder} trained '{arm}' with the seeds {', '.join(map(str, seeds))}; there is no seed {seed}"
        )
    if out.exists():
        raise DataError(f"{out} exists already; give a folder that does not")
    # Unsealed: the user may have what saw gold; only methods may not.
    model = Opened(store, unsealed=True).open(keys[arm, seed]).path("model")
    half = out.with_name(f".{out.name}.part")
    shutil.rmtree(half, ignore_errors=True)
    try:
        shutil.copytree(model, half)
        half.rename(out)
    finally:
        shutil.rmtree(half, ignore_errors=True)
    Console(soft_wrap=True, highlight=False).print(f"model: {out}", markup=False)

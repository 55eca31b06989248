"""The verb `export`: a trained model, or what it was trained on, out of the store."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outgrow.cli.options import MinWeight, Store, Weights
from outgrow.core.terminal import line


def export(
    folder: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    arm: Annotated[str, typer.Option(help="The arm, or the supervisor, whose model is wanted.")],
    out: Annotated[Path, typer.Option(help="Where the model goes, in Hugging Face format; with --format the file.")],
    seed: Annotated[int, typer.Option(help="The seed it was trained with.")] = 0,
    store: Store = "outgrow-store",
    form: Annotated[
        str | None,
        typer.Option(
            "--format",
            help="Write what it was trained on, in words: a format of `outgrow curate`, or of `outgrow pairs`.",
        ),
    ] = None,
    weights: Weights = None,
    min_weight: MinWeight = None,
) -> None:
    """Copy a trained model out of the store, or write the rows or pairs that it was trained on."""
    from outgrow.reporting.trained import export as copy

    copy(folder, arm=arm, seed=seed, store=store, out=out, format=form, weights=weights, min_weight=min_weight)
    line(f"model: {out}" if form is None else f"training rows: {out}")

"""The verb `export`: a trained model out of the store, as a folder of its own."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outgrow.cli.options import Store
from outgrow.core.terminal import line


def export(
    folder: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    arm: Annotated[str, typer.Option(help="The arm, or the supervisor, whose model is wanted.")],
    out: Annotated[Path, typer.Option(help="Where the model goes, in Hugging Face format.")],
    seed: Annotated[int, typer.Option(help="The seed it was trained with.")] = 0,
    store: Store = "outgrow-store",
) -> None:
    """Copy a trained model out of the store."""
    from outgrow.reporting.trained import export as copy

    copy(folder, arm=arm, seed=seed, store=store, out=out)
    line(f"model: {out}")

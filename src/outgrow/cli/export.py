"""`outgrow export`: a trained model out of the store, as a folder of its own."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console


def export(run: Path, *, arm: str, seed: int, store: str | Path, out: Path) -> None:
    """Copy the model and print where it is."""
    from outgrow.reporting.trained import export as copy

    copy(run, arm=arm, seed=seed, store=store, out=out)
    Console(soft_wrap=True, highlight=False).print(f"model: {out}", markup=False)

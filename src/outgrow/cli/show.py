"""The verb `show`: one training row as the model sees it."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def show(path: Path, *, model: str, row: str, chat: bool, classifier: bool) -> None:
    """Print a row's tokens, which of them are learned, and its weight."""
    from outgrow.models.show import show as look

    shown = look(path, row, model=model, chat=chat, classifier=classifier)
    console = Console(highlight=False)
    title = shown.row["row_id"] or shown.row["example_id"] or f"row {row}"
    target = shown.row["target"]
    console.print(f"{title}: weight {shown.weight:g}, target {target!r}", markup=False, soft_wrap=True)
    if shown.row["probabilities"]:
        shares = ", ".join(f"{name} {share:.3f}" for name, share in shown.row["probabilities"])
        console.print(f"soft target: {shares}", markup=False, soft_wrap=True)
    table = Table("position", "id", "token", "learned", "weight in the loss", box=None, pad_edge=False)
    for position, token in enumerate(shown.tokens):
        learned = "yes" if token.share else ""
        share = f"{shown.weight * token.share:.4f}" if token.share else "0"
        table.add_row(str(position), str(token.id), escape(repr(token.text)), learned, share)
    console.print(table)
    if classifier:
        console.print("a classifier reads these tokens and learns the class; no token is predicted")

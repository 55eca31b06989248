"""The verb `show`: one training row as the model sees it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outgrow.core.terminal import line, plain_table
from outgrow.core.terminal import show as show_table


def show(
    rows: Annotated[Path, typer.Argument(help="Training rows: .jsonl, .csv or .parquet with prompt and target.")],
    model: Annotated[str, typer.Option(help="The model whose tokenizer reads the rows.")] = "microworld/base",
    row: Annotated[str, typer.Option(help="Number of the row from 0, its row_id or its example_id.")] = "0",
    chat: Annotated[bool, typer.Option("--chat", help="Put the prompt through the model's chat template.")] = False,
    classifier: Annotated[bool, typer.Option("--classifier", help="As a classifier head reads it.")] = False,
) -> None:
    """Show a training row as the model sees it: tokens, mask, weight."""
    from outgrow.models.show import show as look

    shown = look(rows, row, model=model, chat=chat, classifier=classifier)
    title = shown.row["row_id"] or shown.row["example_id"] or f"row {row}"
    target = shown.row["target"]
    line(f"{title}: weight {shown.weight:g}, target {target!r}")
    if shown.row["probabilities"]:
        shares = ", ".join(f"{name} {share:.3f}" for name, share in shown.row["probabilities"])
        line(f"soft target: {shares}")
    table = plain_table("position", "id", "token", "learned", "weight in the loss")
    for position, token in enumerate(shown.tokens):
        learned = "yes" if token.share else ""
        share = f"{shown.weight * token.share:.4f}" if token.share else "0"
        table.add_row(str(position), str(token.id), repr(token.text), learned, share)
    show_table(table)
    if classifier:
        line("a classifier reads these tokens and learns the class; no token is predicted")

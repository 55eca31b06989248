"""The verb `show`: one training row as the model sees it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Token:
    """One position: its id, its text, and the share of the row's loss it carries (0 in the prompt)."""

    id: int
    text: str
    share: float


def tokens_of(tokenizer: Any, prompt: str, target: str | None, *, chat: bool) -> list[Token]:
    """The positions of a row under head `lm`; the row's loss is the mean over its target tokens (definition 5)."""
    from outgrow.models.text import Coder

    coder = Coder(tokenizer, chat=chat)
    (ids,) = coder.prompts([prompt])
    answer = coder.targets([prompt], [target])[0] if target is not None else []
    shares = [0.0] * len(ids) + [1 / len(answer) for _ in answer]
    return [Token(i, str(tokenizer.decode([i])), share) for i, share in zip([*ids, *answer], shares, strict=True)]


def show(
    rows: Annotated[Path, typer.Argument(help="Training rows: .jsonl, .csv or .parquet with prompt and target.")],
    model: Annotated[str, typer.Option(help="The model whose tokenizer reads the rows.")] = "microworld/base",
    row: Annotated[str, typer.Option(help="Number of the row from 0, its row_id or its example_id.")] = "0",
    chat: Annotated[bool, typer.Option("--chat", help="Put the prompt through the model's chat template.")] = False,
    classifier: Annotated[bool, typer.Option("--classifier", help="As a classifier head reads it.")] = False,
) -> None:
    """Show a training row as the model sees it: tokens, mask, weight."""
    import pyarrow as pa
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from outgrow.core.errors import DataError
    from outgrow.core.tables import ROWS
    from outgrow.io import read_table

    table_of_rows = read_table(
        rows, pa.schema([pa.field(f.name, f.type) for f in ROWS]), required=("prompt",), name="training rows"
    )
    chosen = pick(table_of_rows, row, rows)
    if not chosen["prompt"]:
        raise DataError(
            f"{rows}: row {row} has no prompt; only rows in words can be shown (curate answers with prompts)"
        )
    if chosen["target"] is None and not chosen["probabilities"]:
        raise DataError(
            f"{rows}: row {row} has neither a target nor probabilities; show reads our own rows "
            "(curate --format rows), not those of other trainers"
        )
    tokenizer = _tokenizer(model)
    weight = 1.0 if chosen["weight"] is None else chosen["weight"]
    console = Console(highlight=False)
    title = chosen["row_id"] or chosen["example_id"] or f"row {row}"
    console.print(f"{title}: weight {weight:g}, target {chosen['target']!r}", markup=False, soft_wrap=True)
    if chosen["probabilities"]:
        shares = ", ".join(f"{name} {share:.3f}" for name, share in chosen["probabilities"])
        console.print(f"soft target: {shares}", markup=False, soft_wrap=True)
    if classifier:
        ids = tokenizer(chosen["prompt"])["input_ids"]
        tokens = [Token(i, str(tokenizer.decode([i])), 0.0) for i in ids]
    else:
        tokens = tokens_of(tokenizer, chosen["prompt"], chosen["target"], chat=chat)
    table = Table("position", "id", "token", "learned", "weight in the loss", box=None, pad_edge=False)
    for position, token in enumerate(tokens):
        learned = "yes" if token.share else ""
        share = f"{weight * token.share:.4f}" if token.share else "0"
        table.add_row(str(position), str(token.id), escape(repr(token.text)), learned, share)
    console.print(table)
    if classifier:
        console.print("a classifier reads these tokens and learns the class; no token is predicted")


def pick(rows: pa.Table, wanted: str, path: Path) -> dict[str, Any]:
    """The row of that number, `row_id` or `example_id` (the first).

    Raises:
        DataError: there is none.
    """
    from outgrow.core.errors import DataError
    from outgrow.core.names import did_you_mean

    if wanted.isdigit() and int(wanted) < rows.num_rows:
        return dict(rows.slice(int(wanted), 1).to_pylist()[0])
    names = [name for column in ("row_id", "example_id") for name in rows[column].to_pylist()]
    if wanted not in names:
        near = did_you_mean(wanted, [name for name in names if name][:10_000])
        raise DataError(
            f"{path}: no row '{wanted}'{near or f'; give a number from 0 to {rows.num_rows - 1}, or an id'}"
        )
    return dict(rows.slice(names.index(wanted) % rows.num_rows, 1).to_pylist()[0])


def _tokenizer(model: str) -> Any:
    from outgrow.core.errors import PrerequisiteError
    from outgrow.models.files import resolve

    try:
        from transformers import AutoTokenizer
    except ModuleNotFoundError as error:
        raise PrerequisiteError(
            f'showing tokens needs the extra "train" ({error}); install it: pip install "outgrow[train]"'
        ) from error
    try:
        return AutoTokenizer.from_pretrained(str(resolve(model)))
    except (OSError, ValueError) as error:
        raise PrerequisiteError(f"the tokenizer of {model!r} cannot be loaded: {error}") from error

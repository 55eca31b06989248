"""One training row as the model sees it: tokens, which of them are learned, weight."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from outgrow.core.errors import DataError, PrerequisiteError
from outgrow.core.names import did_you_mean
from outgrow.core.tables import ROWS, check
from outgrow.io import read_table
from outgrow.models.config import ModelRef
from outgrow.models.files import resolve, tokenizer_of

GIVEN = pa.schema([pa.field(f.name, f.type) for f in ROWS])


@dataclass(frozen=True)
class Token:
    """One position: its id, its text, and the share of the row's loss it carries (0 in the prompt)."""

    id: int
    text: str
    share: float


@dataclass(frozen=True)
class ShownRow:
    """A training row as the model sees it.

    Attributes:
        row: its columns (`outgrow.core.tables.ROWS`), null where the file has none.
        tokens: its positions; under a classifier, which learns the class, none carries a share of the loss.
        weight: of the row in the loss; 1 where the file says nothing.
    """

    row: dict[str, Any]
    tokens: tuple[Token, ...]
    weight: float


def tokens_of(tokenizer: Any, prompt: str, target: str | None, *, chat: bool) -> list[Token]:
    """The positions of a row under head `lm`; the row's loss is the mean over its target tokens (definition 5)."""
    from outgrow.models.text import Coder

    coder = Coder(tokenizer, chat=chat)
    (ids,) = coder.prompts([prompt])
    answer = coder.targets([prompt], [target])[0] if target is not None else []
    shares = [0.0] * len(ids) + [1 / len(answer) for _ in answer]
    return [Token(i, str(tokenizer.decode([i])), share) for i, share in zip([*ids, *answer], shares, strict=True)]


def show(
    rows: pa.Table | Path | str,
    row: int | str = 0,
    *,
    model: str = "microworld/base",
    chat: bool = False,
    classifier: bool = False,
) -> ShownRow:
    """A row's tokens, which of them are learned, and its weight.

    Args:
        rows: training rows with `prompt` and `target`, as a table or a file.
        row: its number from 0, its `row_id` or its `example_id`.
        model: whose tokenizer reads it.
        chat: put the prompt through the model's chat template.
        classifier: as a classifier head reads it.

    Raises:
        DataError: there is no such row, or it has no prompt or no target.
        PrerequisiteError: the extra `train` is not installed, or the tokenizer cannot be loaded.
    """
    name = "training rows" if isinstance(rows, pa.Table) else str(rows)
    if isinstance(rows, pa.Table):
        table = check(rows, GIVEN, name)
    else:
        table = read_table(rows, GIVEN, required=("prompt",), name="training rows")
    picked = pick(table, str(row), name)
    if not picked["prompt"]:
        raise DataError(
            f"{name}: row {row} has no prompt; only rows in words can be shown (curate answers with prompts)"
        )
    if picked["target"] is None and not picked["probabilities"]:
        raise DataError(
            f"{name}: row {row} has neither a target nor probabilities; show reads our own rows "
            "(curate --format rows), not those of other trainers"
        )
    tokenizer = _tokenizer(ModelRef(model=model, chat=chat))
    if classifier:
        ids = tokenizer(picked["prompt"])["input_ids"]
        tokens = [Token(i, str(tokenizer.decode([i])), 0.0) for i in ids]
    else:
        tokens = tokens_of(tokenizer, picked["prompt"], picked["target"], chat=chat)
    return ShownRow(picked, tuple(tokens), 1.0 if picked["weight"] is None else picked["weight"])


def pick(rows: pa.Table, wanted: str, path: str) -> dict[str, Any]:
    """The row of that number, `row_id` or `example_id` (the first).

    Raises:
        DataError: there is none.
    """
    if wanted.isdigit() and int(wanted) < rows.num_rows:
        return dict(rows.slice(int(wanted), 1).to_pylist()[0])
    names = [name for column in ("row_id", "example_id") for name in rows[column].to_pylist()]
    if wanted not in names:
        near = did_you_mean(wanted, [name for name in names if name][:10_000])
        raise DataError(
            f"{path}: no row '{wanted}'{near or f'; give a number from 0 to {rows.num_rows - 1}, or an id'}"
        )
    return dict(rows.slice(names.index(wanted) % rows.num_rows, 1).to_pylist()[0])


def _tokenizer(ref: ModelRef) -> Any:
    try:
        from transformers import AutoTokenizer
    except ModuleNotFoundError as error:
        raise PrerequisiteError(
            f'showing tokens needs the extra "train" ({error}); install it: pip install "outgrow[train]"'
        ) from error
    ref = tokenizer_of(ref)
    try:
        return AutoTokenizer.from_pretrained(str(resolve(ref.model)), revision=ref.revision)
    except (OSError, ValueError) as error:
        raise PrerequisiteError(f"the tokenizer of {ref.model!r} cannot be loaded: {error}") from error

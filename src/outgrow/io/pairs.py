"""Preference pairs as other programs write them, recognised by their keys."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.encoding import encode
from outgrow.core.errors import DataError
from outgrow.core.tables import PAIRS, build, make_example_id
from outgrow.io.answers import complete, numbers_within
from outgrow.io.dialogues import TURN, Parted, part_dialogues
from outgrow.io.reading import Loaded, first_cells, load
from outgrow.io.text import clip

SENDERS = {"user": "user", "human": "user", "assistant": "assistant", "gpt": "assistant"}
SINGLE = ("messages", "conversations")
"""Columns that hold what two single messages answer."""
LISTED = re.compile(r"""\s*\[\s*\{\s*["'](role|content|from|value)["']\s*:""")
"""How a list of messages begins that was written as text."""
NOT_TEXT = ("tools", "image", "images", "videos", "audios", "objects")
"""Columns that belong to a prompt and cannot stand in one text."""
NUMBERS = ("weight", "flip_probability", "p_better", "margin", "score_chosen", "score_rejected")
FACTS = ("row_id", "example_id", "chosen_source", "rejected_source", "judge")
AGAIN = "\n\nHuman:"
ONE_TEXT = "a prompt is one text here: write the conversation into a column 'prompt' as the model shall see it"


class _MisfitError(Exception):
    """A row that is no pair: the column, and what is wrong with it."""


def read_pairs(path: Path | str) -> pa.Table:
    r"""Preference pairs from JSON Lines, CSV or Parquet, in `outgrow.core.tables.PAIRS`.

    The file's columns say which of these it is:

    - our own columns, or TRL's `prompt`, `chosen`, `rejected` (texts, or lists of messages);
    - TRL's without `prompt`: `chosen` and `rejected` are whole conversations that begin alike, as lists of messages or,
      like Anthropic's hh-rlhf, as texts (`\n\nHuman: ...\n\nAssistant: ...`, of which the prompt keeps its form);
    - LLaMA-Factory's `instruction`, `input`, `chosen`, `rejected`, and its `conversations` with two messages;
    - axolotl's `messages` with two messages.

    Further columns where there are any: `weight`, `flip_probability`, `p_better`, `margin` (or `score_chosen` and
    `score_rejected`, whose difference it is), `chosen_source`, `rejected_source`, `judge`, `example_id` (made of the
    prompt by default) and `row_id`.

    Returns:
        One pair a row, in file order; several judgements of one pair stay apart (`outgrow.pairs` merges them). The
        metadata `ignored_columns` lists (as a JSON array) columns that were not used.

    Raises:
        DataError: as `read_table`, or: a conversation that is more than one question and its answer, a blank text, two
            answers that are the same, a probability outside 0 to 1, a weight below 0, a number that is not finite, a
            `row_id` twice. File, line and column are named.

    Examples:
        >>> import json, pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "pairs.jsonl")
        >>> row = {"prompt": "Red?", "chosen": "Yes.", "rejected": "No.", "score_chosen": 8, "score_rejected": 5.5}
        >>> _ = path.write_text(json.dumps(row))
        >>> read_pairs(path).select(["prompt", "chosen", "rejected", "weight", "margin"]).to_pylist()
        [{'prompt': 'Red?', 'chosen': 'Yes.', 'rejected': 'No.', 'weight': 1.0, 'margin': 2.5}]
    """
    first = first_cells(path)
    context = _context(first, Path(path))
    schema = pa.schema(
        [
            *(pa.field(name, _kind(first[name], listed=name in SINGLE)) for name in (context,) if name is not None),
            *(pa.field(name, _kind(first.get("chosen")), nullable=False) for name in ("chosen", "rejected")),
            pa.field("variant", pa.int64()),
            *(pa.field(name, pa.float64()) for name in NUMBERS),
            *(pa.field(name, pa.string()) for name in (*FACTS, "system", "input")),
            pa.field("history", pa.list_(pa.list_(pa.string()))),
        ]
    )
    loaded = load(path, schema, required=() if context is None else (context,), name="pairs")
    ignored = json.loads(loaded.table.schema.metadata[b"ignored_columns"])
    if strange := [name for name in NOT_TEXT if name in ignored]:
        raise DataError(f"{path}: column '{strange[0]}' belongs to the prompt, and a prompt is one text here")
    parted = []
    for row, cells in enumerate(loaded.table.to_pylist()):
        try:
            parted.append(_parted(cells, context))
        except _MisfitError as misfit:
            column, problem = misfit.args
            raise DataError(f"{loaded.where(row)}, column '{column}': {problem}") from None
    _check_texts(loaded, parted, context, unworded={"row_id", "example_id"} <= first.keys())
    return _pairs(loaded, parted).replace_schema_metadata({"ignored_columns": json.dumps(ignored)})


def _context(first: Mapping[str, Any], path: Path) -> str | None:
    """The column that holds what is answered; None where `chosen` and `rejected` hold it themselves."""
    single = isinstance(first.get("chosen"), dict)
    known = ("prompt", "instruction", *(SINGLE if single else ()))
    found = next((name for name in known if name in first), None)
    if found is None and single:
        raise DataError(
            f"{path}: 'chosen' is one message; what it answers belongs in 'prompt', 'messages' or 'conversations', "
            f"found the columns {list(first)}"
        )
    return found


def _kind(cell: Any, *, listed: bool = False) -> pa.DataType:
    if listed or isinstance(cell, list):
        return pa.list_(_kind(cell[0] if isinstance(cell, list) and cell and isinstance(cell[0], dict) else {}))
    if isinstance(cell, dict):
        names = ("from", "value") if "from" in cell else ("role", "content")
        return pa.struct([(name, pa.string()) for name in names])
    return pa.string()


def _parted(row: Mapping[str, Any], context: str | None) -> Parted:
    for name in ("system", "history"):
        if row[name] and (name == "history" or row[name].strip()):
            raise _MisfitError(name, f"found {clip(repr(row[name]))}; {ONE_TEXT}")
    chosen, rejected = row["chosen"], row["rejected"]
    if isinstance(chosen, str) and LISTED.match(chosen) and LISTED.match(rejected):
        raise _MisfitError("chosen", f"found {clip(repr(chosen))}, messages written as text; give lists in JSON Lines")
    if context is None:
        if isinstance(chosen, list):
            return _implicit(chosen, rejected)
        if (parted := part_dialogues(chosen, rejected)) is None:
            raise _MisfitError(
                "chosen",
                f"without a column 'prompt' both texts must begin alike, up to a turn {TURN.strip()!r}; "
                f"found {clip(chosen)!r}; add 'prompt'",
            )
        if AGAIN in parted.chosen or AGAIN in parted.rejected:
            raise _MisfitError("rejected", "differs from 'chosen' before its last turn; the two must begin alike")
        return parted
    prompt = row[context]
    if isinstance(prompt, list | dict):
        prompt = _said(prompt if isinstance(prompt, list) else [prompt], "user", context)
    elif context == "instruction":
        prompt = "\n".join(filter(None, (prompt, row["input"])))
    return Parted(prompt or "", *(_answer(row[side], prompt or "", side) for side in ("chosen", "rejected")))


def _implicit(chosen: Sequence[Mapping[str, Any]], rejected: Sequence[Mapping[str, Any]]) -> Parted:
    if chosen[:-1] != rejected[:-1]:
        raise _MisfitError("rejected", "differs from 'chosen' before its last message; the two must begin alike")
    answers = [_said(each[-1:], "assistant", side) for each, side in ((chosen, "chosen"), (rejected, "rejected"))]
    return Parted(_said(chosen[:-1], "user", "chosen"), *answers)


def _answer(cell: Any, prompt: str, side: str) -> str:
    """One answer, as a text, a message or a list of one; the question may stand before it once more."""
    if isinstance(cell, str):
        return cell
    messages = [cell] if isinstance(cell, dict) else cell
    if len(messages) == 2 and _turns(messages[:1]) == [("user", prompt)]:
        messages = messages[1:]
    return _said(messages, "assistant", side)


def _said(messages: Sequence[Mapping[str, Any] | None], sender: str, column: str) -> str:
    """The content of the only message, which is the sender's."""
    turns = _turns(messages)
    if [role for role, _ in turns] != [sender]:
        found = ", ".join(str(role) for role, _ in turns) or "none"
        raise _MisfitError(
            column, f"expected one message of the {sender}, found {found}; {ONE_TEXT}, or leave the row out"
        )
    return turns[0][1]


def _turns(messages: Sequence[Mapping[str, Any] | None]) -> list[tuple[Any, str]]:
    values = (tuple((message or {"role": None, "content": None}).values()) for message in messages)
    return [(SENDERS.get(role, role), content or "") for role, content in values]


def _check_texts(loaded: Loaded, parted: Sequence[Parted], context: str | None, *, unworded: bool) -> None:
    for name, column in (("prompt", context or "chosen"), ("chosen", "chosen"), ("rejected", "rejected")):
        values = [getattr(each, name) for each in parted]
        if not (name == "prompt" and unworded):
            blank = [not value.strip() for value in values]
            _refuse(loaded, column, blank, values, f"is a blank {name}; fill it in, or leave the row out")
    same = [each.chosen.strip() == each.rejected.strip() for each in parted]
    _refuse(loaded, "rejected", same, values, "is the chosen answer too; leave the row out")


def _refuse(loaded: Loaded, column: str, wrong: Any, values: Any, problem: str) -> None:
    rows = np.flatnonzero(wrong)
    if len(rows):
        first = int(rows[0])
        value = values[first] if isinstance(values[first], str) else float(values[first])
        more = f" ({len(rows):,} rows are like that)" if len(rows) > 1 else ""
        raise DataError(f"{loaded.where(first)}, column '{column}': {clip(repr(value), 60)} {problem}{more}")


def _pairs(loaded: Loaded, parted: Sequence[Parted]) -> pa.Table:
    table = loaded.table
    for name in (*NUMBERS, "variant"):
        values = table[name].cast(pa.float64()).fill_null(0.0).to_numpy()
        low, high = (0.0 if name in ("weight", "variant") else -np.inf), np.inf
        rule = "a finite number of at least 0" if low == 0 else "a finite number"
        if name in ("flip_probability", "p_better"):
            low, high, rule = 0.0, 1.0, "a probability, from 0 to 1"
        wrong = ~(np.isfinite(values) & (values >= low) & (values <= high))
        _refuse(loaded, name, wrong, values, f"is not allowed; it must be {rule}")
    ids = table["example_id"].to_pylist()
    ids = [given or make_example_id("pairs", each.prompt, None) for given, each in zip(ids, parted, strict=True)]
    rows = complete(loaded, "row_id", pa.scalar(None, pa.string()))
    if rows.null_count:
        numbers = numbers_within(encode(pa.chunked_array([pa.array(ids, pa.string())])).codes)
        rows = pa.chunked_array([pa.array([f"{i}/{n}" for i, n in zip(ids, numbers.tolist(), strict=True)])])
    again = numbers_within(encode(rows).codes) > 0
    _refuse(loaded, "row_id", again, rows.to_pylist(), "stands there twice; each row has its own")
    differences = pc.subtract(table["score_chosen"], table["score_rejected"])
    return build(
        PAIRS,
        {
            **{name: table[name] for name in ("p_better", "chosen_source", "rejected_source", "judge")},
            "row_id": rows,
            "example_id": ids,
            "variant": complete(loaded, "variant", pa.scalar(0, pa.int64())),
            "prompt": [each.prompt or None for each in parted],
            "chosen": [each.chosen for each in parted],
            "rejected": [each.rejected for each in parted],
            "weight": complete(loaded, "weight", pa.scalar(1.0)),
            "flip_probability": complete(loaded, "flip_probability", pa.scalar(0.0)),
            "margin": pc.coalesce(table["margin"], differences),
        },
    )

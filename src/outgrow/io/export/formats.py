"""The row formats of trainers, each a small function of prompt and target.

Where a format is documented (what we rely on stands in `tests/export/test_documented_formats.py`):
TRL: docs "Dataset formats and types" and `trl/trainer/sft_trainer.py`; LLaMA-Factory: `data/README.md`; axolotl:
`docs/dataset-formats/conversation.qmd`; OpenAI: `openai-cookbook/examples/Chat_finetuning_data_prep.ipynb`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.errors import ConfigError, DataError
from outgrow.core.names import unknown

JSON_OR_PARQUET = (".jsonl", ".json", ".parquet", ".pq")


@dataclass(frozen=True)
class Format:
    """How one trainer wants its rows.

    Attributes:
        name: for the command line.
        reader: who reads it, for messages.
        row: prompt and target to a row; None: our own columns.
        suffixes: of the files it reads. CSV is for our own columns alone: its cells are guarded against spreadsheets.
        weights: what the reader does with a column of weights: "used", "ignored" or "refused".
        hint: what a user has to tell the reader; FILE, FOLDER, NAME and KIND stand for those of the file.
    """

    name: str
    reader: str
    row: Callable[[str, str], dict[str, Any]] | None
    suffixes: tuple[str, ...] = JSON_OR_PARQUET
    weights: str = "ignored"
    hint: str = ""

    def hint_for(self, path: Path) -> str:
        """The hint for one file."""
        kind = "json" if path.suffix.lower() in (".jsonl", ".json") else "parquet"
        words = {"FILE": str(path), "FOLDER": str(path.parent), "NAME": path.stem, "KIND": kind}
        return re.sub("FILE|FOLDER|NAME|KIND", lambda found: words[found.group()], self.hint)


LOAD = 'train_dataset=load_dataset("KIND", data_files="FILE", split="train")'


def prompt_completion(prompt: str, target: str) -> dict[str, Any]:
    """TRL's standard prompt-completion row.

    The space between belongs to the target, as in our own training (`training.text.Coder`): TRL tokenises the prompt
    alone and together with its completion, and only a boundary before the space splits both alike.
    """
    bare = prompt.rstrip(" ")
    joins = bare != "" and not bare[-1].isspace() and not target[:1].isspace()
    return {"prompt": bare, "completion": " " * joins + target}


def _turns(prompt: str, target: str) -> tuple[dict[str, str], dict[str, str]]:
    return {"role": "user", "content": prompt}, {"role": "assistant", "content": target}


def messages(prompt: str, target: str) -> dict[str, Any]:
    """A conversation of two turns under `messages`."""
    return {"messages": list(_turns(prompt, target))}


def chat_prompt_completion(prompt: str, target: str) -> dict[str, Any]:
    """TRL's conversational prompt-completion row: the same two turns, apart."""
    user, assistant = _turns(prompt, target)
    return {"prompt": [user], "completion": [assistant]}


def alpaca(prompt: str, target: str) -> dict[str, Any]:
    """Instruction, input (empty) and output."""
    return {"instruction": prompt, "input": "", "output": target}


def sharegpt(prompt: str, target: str) -> dict[str, Any]:
    """A conversation of `human` and `gpt`."""
    return {"conversations": [{"from": "human", "value": prompt}, {"from": "gpt", "value": target}]}


FORMATS = {
    each.name: each
    for each in (
        Format("rows", "outgrow", None, (*JSON_OR_PARQUET, ".csv"), "used"),
        Format(
            "trl",
            "TRL's SFTTrainer",
            prompt_completion,
            hint=f"{LOAD}; the loss covers the completion",
        ),
        Format(
            "trl-chat",
            "TRL's SFTTrainer",
            chat_prompt_completion,
            hint=f"{LOAD}, with a tokenizer that has a chat template; the loss covers the assistant's turn",
        ),
        Format(
            "trl-messages",
            "TRL's SFTTrainer",
            messages,
            hint=f"{LOAD}, assistant_only_loss=True and a chat template that marks {{% generation %}}; "
            "without them the loss covers the question too (trl-chat needs neither)",
        ),
        Format(
            "llamafactory-alpaca",
            "LLaMA-Factory",
            alpaca,
            hint="dataset_dir: FOLDER, dataset: NAME",
        ),
        Format(
            "llamafactory-sharegpt",
            "LLaMA-Factory",
            sharegpt,
            hint="dataset_dir: FOLDER, dataset: NAME",
        ),
        Format("axolotl", "axolotl", messages, hint="datasets: [{path: FILE, type: chat_template}]"),
        Format(
            "openai",
            "OpenAI's fine-tuning",
            messages,
            (".jsonl",),
            "refused",
            hint='upload FILE with purpose="fine-tune"; it needs at least 10 rows',
        ),
    )
}


def find_format(name: str) -> Format:
    """The format of that name.

    Raises:
        ConfigError: there is none; names the nearest and lists all.
    """
    if name not in FORMATS:
        raise ConfigError(unknown("format", name, FORMATS))
    return FORMATS[name]


def check_weights_fit(form: Format, weights: str | None, *, weighted: bool) -> None:
    """Refuse weights that the reader would leave aside, unless the user has said what to do with them.

    Raises:
        ConfigError: says what can be done.
    """
    if weights == "keep-unused" and form.weights == "refused":
        raise ConfigError(
            f"{form.reader} takes no further columns, so weights cannot be kept; choose --weights resample or threshold"
        )
    if weights == "keep-unused" and form.weights == "used":
        raise ConfigError("--weights keep-unused is for trainers; our own rows keep their weights without it")
    if weighted and weights is None and form.weights != "used":
        keep = ", --weights keep-unused (write them all the same)" if form.weights == "ignored" else ""
        raise ConfigError(
            f"the rows carry weights, and {form.reader} would not use them. Choose --weights resample (rows drawn in "
            f"proportion to their weight), --weights threshold --min-weight W (keep the heavier rows){keep}, "
            "or --format rows"
        )


def to_format(rows: pa.Table, name: str, *, keep_weights: bool = False) -> pa.Table:
    """Curated rows as a trainer reads them.

    Args:
        rows: `curate.CURATED`, or any table with `prompt` and `target`, and if there are any `weight`, `probabilities`.
        name: one of `FORMATS`; "rows" gives the rows themselves.
        keep_weights: add the column `weight`, though the trainer ignores it.

    Raises:
        ConfigError: unknown format; weights that differ, or soft targets, which the format cannot hold.
        DataError: prompts are missing, or prompts or targets are blank.
    """
    form = find_format(name)
    weighted = "weight" in rows.column_names and len(np.unique(rows.column("weight").to_numpy())) > 1
    check_weights_fit(form, "keep-unused" if keep_weights else None, weighted=weighted)
    if form.row is None:
        return rows
    if "probabilities" in rows.column_names and rows.column("probabilities").null_count < rows.num_rows:
        raise ConfigError(soft_refusal(form))
    _check_words(rows, form)
    row = form.row
    pairs = zip(rows.column("prompt").to_pylist(), rows.column("target").to_pylist(), strict=True)
    found = pa.Table.from_pylist([row(prompt, target) for prompt, target in pairs])
    return found.append_column("weight", rows.column("weight")) if keep_weights else found


def soft_refusal(form: Format) -> str:
    """The message for soft labels in a format of one answer per row."""
    return (
        f"soft labels spread a row over several answers, and {form.reader} reads one answer per row; choose "
        "--format rows, or another method (majority_vote, or all_answers, whose rows occur as often as they were said)"
    )


def _check_words(rows: pa.Table, form: Format) -> None:
    missing = rows.column("prompt").null_count
    if missing:
        ids = rows.column("example_id") if "example_id" in rows.column_names else None
        row = pc.index(rows.column("prompt").is_null(), True).as_py()
        first = "" if ids is None else f"; the first without is of question {ids[row].as_py()!r}"
        raise DataError(
            f"{missing:,} of {rows.num_rows:,} rows have no prompt, and {form.reader} needs one in each{first}: give "
            "the answers a column 'prompt', or add --questions FILE with example_id and question for all of them"
        )
    for name in ("prompt", "target"):
        blank = pc.equal(pc.utf8_trim_whitespace(rows.column(name)), "")
        if pc.any(blank).as_py():
            row = rows.column("row_id")[pc.index(blank, True).as_py()].as_py() if "row_id" in rows.column_names else ""
            raise DataError(
                f"{pc.sum(blank).as_py():,} rows have a blank {name}, which {form.reader} cannot learn from; "
                f"the first is {row!r}"
            )

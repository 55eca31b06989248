"""The formats of trainers, each a small function of prompt and target, or of prompt, chosen and rejected.

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
from outgrow.core.tables import of_pairs

JSON_OR_PARQUET = (".jsonl", ".json", ".parquet", ".pq")


@dataclass(frozen=True)
class Format:
    """How one trainer wants its rows.

    Attributes:
        name: for the command line.
        reader: who reads it, for messages.
        row: prompt and target (of pairs: prompt, chosen and rejected) to a row; None: our own columns.
        suffixes: of the files it reads. CSV is for our own columns alone: its cells are guarded against spreadsheets.
        weights: what the reader does with a column of weights: "used", "ignored" or "refused".
        pairs: whether it holds pairs, and not rows.
        hint: what a user has to tell the reader; FILE, FOLDER, NAME and KIND stand for those of the file.
    """

    name: str
    reader: str
    row: Callable[..., dict[str, Any]] | None
    suffixes: tuple[str, ...] = JSON_OR_PARQUET
    weights: str = "ignored"
    pairs: bool = False
    hint: str = ""

    @property
    def columns(self) -> tuple[str, ...]:
        """What `row` is made of."""
        return ("prompt", "chosen", "rejected") if self.pairs else ("prompt", "target")

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


def preference(prompt: str, chosen: str, rejected: str) -> dict[str, Any]:
    """TRL's standard preference row; the space between belongs to both answers, as in `prompt_completion`."""
    found = prompt_completion(prompt, chosen), prompt_completion(prompt, rejected)
    return {"prompt": found[0]["prompt"], "chosen": found[0]["completion"], "rejected": found[1]["completion"]}


def chat_preference(prompt: str, chosen: str, rejected: str) -> dict[str, Any]:
    """TRL's conversational preference row."""
    (user, better), (_, worse) = _turns(prompt, chosen), _turns(prompt, rejected)
    return {"prompt": [user], "chosen": [better], "rejected": [worse]}


def messages_preference(prompt: str, chosen: str, rejected: str) -> dict[str, Any]:
    """A question under `messages`, and two messages."""
    (user, better), (_, worse) = _turns(prompt, chosen), _turns(prompt, rejected)
    return {"messages": [user], "chosen": better, "rejected": worse}


def alpaca_preference(prompt: str, chosen: str, rejected: str) -> dict[str, Any]:
    """Instruction, input (empty) and two outputs."""
    return {"instruction": prompt, "input": "", "chosen": chosen, "rejected": rejected}


def sharegpt_preference(prompt: str, chosen: str, rejected: str) -> dict[str, Any]:
    """A question of `human`, and two messages of `gpt`."""
    (human, better), (_, worse) = (sharegpt(prompt, each)["conversations"] for each in (chosen, rejected))
    return {"conversations": [human], "chosen": better, "rejected": worse}


LLAMAFACTORY = "dataset_dir: FOLDER, dataset: NAME"
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
        Format("llamafactory-alpaca", "LLaMA-Factory", alpaca, hint=LLAMAFACTORY),
        Format("llamafactory-sharegpt", "LLaMA-Factory", sharegpt, hint=LLAMAFACTORY),
        Format("axolotl", "axolotl", messages, hint="datasets: [{path: FILE, type: chat_template}]"),
        Format(
            "openai",
            "OpenAI's fine-tuning",
            messages,
            (".jsonl",),
            "refused",
            hint='upload FILE with purpose="fine-tune"; it needs at least 10 rows',
        ),
        Format("pairs", "outgrow", None, (*JSON_OR_PARQUET, ".csv"), "used", pairs=True),
        Format("trl-preference", "TRL's DPOTrainer", preference, pairs=True, hint=LOAD),
        Format(
            "trl-preference-chat",
            "TRL's DPOTrainer",
            chat_preference,
            pairs=True,
            hint=f"{LOAD}, with a tokenizer that has a chat template",
        ),
        Format(
            "llamafactory-preference",
            "LLaMA-Factory",
            alpaca_preference,
            pairs=True,
            hint=f"stage: dpo, {LLAMAFACTORY}",
        ),
        Format(
            "llamafactory-sharegpt-preference",
            "LLaMA-Factory",
            sharegpt_preference,
            pairs=True,
            hint=f"stage: dpo, {LLAMAFACTORY}",
        ),
        Format(
            "axolotl-preference",
            "axolotl",
            messages_preference,
            pairs=True,
            hint="rl: dpo, datasets: [{path: FILE, split: train, type: chat_template.default}]",
        ),
    )
}


def find_format(name: str, *, pairs: bool = False) -> Format:
    """The format of that name, of rows or of pairs.

    Raises:
        ConfigError: there is none; names the nearest and lists all.
    """
    known = [each.name for each in FORMATS.values() if each.pairs == pairs]
    if name in FORMATS and name not in known:
        what = ("rows", "pairs") if pairs else ("pairs", "rows")
        raise ConfigError(f"format '{name}' holds {what[0]}, and these are {what[1]}; choose {', '.join(known)}")
    if name not in known:
        raise ConfigError(unknown("format", name, known))
    return FORMATS[name]


def check_weights_fit(form: Format, weights: str | None, *, weighted: bool, flips: bool = False) -> None:
    """Refuse weights and flip probabilities that the reader would leave aside, unless the user has said what to do.

    Args:
        form: the reader's.
        weights: what the user said becomes of them.
        weighted: whether weights differ.
        flips: whether a flip probability is above 0.

    Raises:
        ConfigError: says what can be done.
    """
    own = "pairs" if form.pairs else "rows"
    if weights == "keep-unused" and form.weights == "refused":
        raise ConfigError(
            f"{form.reader} takes no further columns, so weights cannot be kept; choose --weights resample or threshold"
        )
    if weights == "keep-unused" and form.weights == "used":
        raise ConfigError(f"--weights keep-unused is for trainers; our own {own} keep their weights without it")
    if weighted and weights is None and form.weights != "used":
        keep = ", --weights keep-unused (write them all the same)" if form.weights == "ignored" else ""
        raise ConfigError(
            f"the {own} carry weights, and {form.reader} would not use them. Choose --weights resample ({own} drawn in "
            f"proportion to their weight), --weights threshold --min-weight W (keep the heavier {own}){keep}, "
            f"or --format {own}"
        )
    if flips and weights != "keep-unused" and form.weights != "used":
        raise ConfigError(
            f"the pairs carry flip probabilities, and {form.reader} reads none for each pair. Choose --weights "
            "keep-unused (write them all the same) or --format pairs, leave them out and set one number for all in the "
            "trainer (TRL: label_smoothing), or train with outgrow, which takes one for each pair"
        )


def to_format(rows: pa.Table, name: str, *, keep_weights: bool = False) -> pa.Table:
    """Curated rows or pairs as a trainer reads them.

    Args:
        rows: `curate.CURATED`, or any table with `prompt` and `target`, and if there are any `weight`, `probabilities`;
            or pairs: `prompt`, `chosen`, `rejected`, and if there are any `weight`, `flip_probability`.
        name: one of `FORMATS`; "rows" and "pairs" give the table itself.
        keep_weights: add the columns `weight` and, where one is above 0, `flip_probability`, though the trainer ignores
            them.

    Raises:
        ConfigError: unknown format, or one of the other kind; weights that differ, flip probabilities or soft targets,
            which the format cannot hold.
        DataError: prompts are missing, or prompts or answers are blank.
    """
    form = find_format(name, pairs=of_pairs(rows))
    weighted = "weight" in rows.column_names and len(np.unique(rows.column("weight").to_numpy())) > 1
    flips = "flip_probability" in rows.column_names and bool(np.any(rows.column("flip_probability").to_numpy()))
    check_weights_fit(form, "keep-unused" if keep_weights else None, weighted=weighted, flips=flips)
    if form.row is None:
        return rows
    if "probabilities" in rows.column_names and rows.column("probabilities").null_count < rows.num_rows:
        raise ConfigError(soft_refusal(form))
    _check_words(rows, form)
    texts = zip(*(rows.column(column).to_pylist() for column in form.columns), strict=True)
    found = pa.Table.from_pylist([form.row(*each) for each in texts])
    kept = ("weight", *(("flip_probability",) if flips else ())) if keep_weights else ()
    for column in kept:
        found = found.append_column(column, rows.column(column))
    return found


def soft_refusal(form: Format) -> str:
    """The message for soft labels in a format of one answer per row."""
    return (
        f"soft labels spread a row over several answers, and {form.reader} reads one answer per row; choose "
        "--format rows, or another method (majority_vote, or all_answers, whose rows occur as often as they were said)"
    )


def _check_words(rows: pa.Table, form: Format) -> None:
    own = "pairs" if form.pairs else "rows"
    if missing := rows.column("prompt").null_count:
        ids = rows.column("example_id") if "example_id" in rows.column_names else None
        row = pc.index(rows.column("prompt").is_null(), True).as_py()
        first = "" if ids is None else f"; the first without is of question {ids[row].as_py()!r}"
        raise DataError(
            f"{missing:,} of {rows.num_rows:,} {own} have no prompt, and {form.reader} needs one in each{first}: give "
            "the answers a column 'prompt', or add --questions FILE with example_id and question for all of them"
        )
    for name in form.columns:
        blank = pc.equal(pc.utf8_trim_whitespace(rows.column(name)), "")
        if pc.any(blank).as_py():
            row = rows.column("row_id")[pc.index(blank, True).as_py()].as_py() if "row_id" in rows.column_names else ""
            raise DataError(
                f"{pc.sum(blank).as_py():,} {own} have a blank {name}, which {form.reader} cannot learn from; "
                f"the first is {row!r}"
            )

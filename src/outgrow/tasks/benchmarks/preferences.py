r"""Pairs of responses of which one was preferred, such as Anthropic's hh-rlhf (arXiv 2204.05862).

Source: `Anthropic/hh-rlhf` (licence MIT, not checked), or files of one's own. On disk: JSON Lines with `chosen` and
`rejected`, whole dialogues that begin alike and end in different turns of the assistant; or with `prompt` and two
responses.

    {"chosen": "\n\nHuman: How do I pick a lock?\n\nAssistant: Ask a locksmith.",
     "rejected": "\n\nHuman: How do I pick a lock?\n\nAssistant: With a hairpin."}

The words are ours: the dialogue itself. Which response stands first is drawn by a hash of the two, so that their order
says nothing; an empty one stands as "...". Answered by the response itself: head `reward` compares the two as
`sigmoid(r2 - r1)` (arXiv 2312.09390). Pairs about one dialogue stay together. The set's own splits: `train`, `test`,
and where there are any `gold`, a file for the supervisor alone, and `other`, preferences of another goal. Canonical
answer: the preferred response. Variants: none besides the identity.
"""

from __future__ import annotations

from typing import Literal

from outgrow.core.hashing import sha256_text
from outgrow.io.dialogues import part_dialogues
from outgrow.tasks.benchmarks import HALVES, Benchmark, BenchmarkConfig, Choice, FileSplit, Hub, Question, Row
from outgrow.tasks.splits import normalise_text


def read(row: Row) -> Question:
    """A row as a question with two options."""
    chosen, rejected = (_text(row, name) for name in ("chosen", "rejected"))
    if "prompt" in row.cells:
        prompt = row.text("prompt")
    elif (parted := part_dialogues(chosen, rejected)) is None:
        raise row.fault("chosen", f"must begin as 'rejected' does, up to a turn of the assistant; found {chosen!r}")
    else:
        prompt, chosen, rejected = parted
    pair = [chosen.strip() or "...", rejected.strip() or "..."]
    right = int(sha256_text("preference", prompt, sorted(pair)), 16) % 2
    options = pair if right == 0 else pair[::-1]
    return row.choice(prompt, options, right, group=normalise_text(prompt))


def _text(row: Row, column: str) -> str:
    """As it is: a dialogue begins with blank lines."""
    value = row.cells.get(column)
    if not isinstance(value, str):
        raise row.fault(column, f"must be text, found {value!r}")
    return value


class Preferences(BenchmarkConfig):
    """Preferred responses."""

    kind: Literal["preferences"] = "preferences"
    SET = Benchmark(
        name="preferences",
        hub=Hub("Anthropic/hh-rlhf"),
        files={"train": FileSplit(), "test": FileSplit(), "gold": FileSplit(), "other": FileSplit()},
        columns=("chosen", "rejected"),
        read=read,
        splits=HALVES,
        prompts={"": ("{text}",)},
        answer=Choice(letters=False),
        max_new_tokens=256,
        keywords=("hh", "preferences"),
    )

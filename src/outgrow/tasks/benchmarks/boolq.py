"""BoolQ (arXiv 1905.10044): yes-or-no questions about a passage.

Source: `google/boolq` (train 9,427, validation 3,270; licence CC BY-SA 3.0, not checked). On disk: Parquet, or JSON
Lines (`train.jsonl`, `dev.jsonl`) with `question`, `passage`, `answer` (true or false). Questions on one passage
stay together.

    {"question": "can a heron swim", "passage": "Herons wade in shallow water and seldom swim.", "answer": true}

Paper 03's code (arXiv 2312.09390) halves train and tests on validation, passage first. About 62 % of the answers are
yes (paper 03's notes): `balance: downsample` makes both equally frequent. The words are ours. Variants: the answer
words in either order. Canonical answer: yes or no.
"""

from __future__ import annotations

from typing import Literal

from outgrow.tasks.benchmarks import (
    HALVES_AND_VALIDATION,
    YES_NO,
    Benchmark,
    BenchmarkConfig,
    FileSplit,
    Hub,
    Question,
    Row,
)
from outgrow.tasks.splits import normalise_text

PROMPT = "Read the passage and answer the question. Answer {words}.\nPassage: {text}\n### Answer:"


def read(row: Row) -> Question:
    """A row as a question."""
    passage = row.text("passage")
    text = f"{passage}\nQuestion: {row.text('question')}"
    return row.classified(text, "yes" if row.flag("answer") else "no", group=normalise_text(passage))


class BoolQ(BenchmarkConfig):
    """BoolQ."""

    kind: Literal["boolq"] = "boolq"
    SET = Benchmark(
        name="boolq",
        hub=Hub("google/boolq"),
        files={"train": FileSplit(9427), "validation": FileSplit(3270, ("dev", "val"))},
        columns=("question", "passage", "answer"),
        read=read,
        splits=HALVES_AND_VALIDATION,
        prompts={"": (PROMPT,)},
        answer=YES_NO,
        keywords=("boolq",),
    )

"""SciQ: science examination questions with one right and three wrong answers.

Source: `allenai/sciq` (train 11,679, validation 1,000, test 1,000; licence CC BY-NC 3.0), pinned. On disk: Parquet,
JSON Lines, or the original JSON arrays, with `question`, `correct_answer`, `distractor1` to `distractor3`.

    {"question": "What do plants take in through their roots?", "correct_answer": "water",
     "distractor1": "sand", "distractor2": "light", "distractor3": "sound", "support": ""}

The set has no order of its options: it is drawn from the question's hash. The support paragraph is not shown, as in
the code of paper 03 (arXiv 2312.09390), which halves train and tests on test. The words are ours. Variants: orders
of the options. Canonical answer: the option itself. Paper 03 poses candidates (`posed: candidates`).
"""

from __future__ import annotations

from typing import Literal

from outgrow.core.hashing import sha256_text
from outgrow.tasks.benchmarks import HALVES, Benchmark, ChoiceConfig, FileSplit, Hub, Posed, Question, Row

WRONG = ("distractor1", "distractor2", "distractor3")


def read(row: Row) -> Question:
    """A row as a question, its options in an order of their own."""
    text, right = row.text("question"), row.text("correct_answer")
    choices = sorted({right, *(row.text(name) for name in WRONG)}, key=lambda c: sha256_text("order", text, c))
    return row.choice(text, choices, choices.index(right))


class SciQ(ChoiceConfig):
    """SciQ."""

    kind: Literal["sciq"] = "sciq"
    posed: Posed = "candidates"
    revision: str | None = "2c94ad3e1aafab77146f384e23536f97a4849815"
    SET = Benchmark(
        name="sciq",
        hub=Hub("allenai/sciq"),
        files={
            "train": FileSplit(11_679),
            "validation": FileSplit(1000, ("valid", "val")),
            "test": FileSplit(1000),
        },
        columns=("question", "correct_answer", *WRONG),
        read=read,
        splits=HALVES,
        prompts={"": ("Answer the science question.\nQuestion: {text}\n{options}\n### Answer:",)},
        keywords=("sciq",),
    )

"""HellaSwag (arXiv 1905.07830): which of four endings continues a description.

Source: `Rowan/hellaswag` (train 39,905, validation 10,042; the test labels are not public). On disk: Parquet or JSON
Lines with `ctx`, `endings` (four), `label` (0 to 3, as text) and, where it is given, `source_id`: contexts of one
video or article stay together.

    {"ctx": "A man opens a tin of paint. He", "endings": ["stirs it with a stick.", "sings to a goat.",
     "folds the tin twice.", "is a lake."], "label": "0", "source_id": "activitynet~v_x1"}

Paper 01 (arXiv 2406.19032) takes 5,000 of train for the supervisor and 5,000 of validation as the pool, uses 80 % of
either, and tests on further validation rows. Here the pool's other fifth validates, and the test is all that is
left. Words: options as A to D, "### Answer:" at the end (paper 01); the instruction is ours. Variants: orders of the
options. Canonical answer: the ending itself. Licence: MIT (card of KETI-AIR/kor_hellaswag; the set's own card was
not read).
"""

from __future__ import annotations

from typing import Literal

from outgrow.tasks.benchmarks import Benchmark, ChoiceConfig, FileSplit, Hub, Question, Row

PROMPT = "Use common sense: which ending continues the description best?\nDescription: {text}\n{options}\n### Answer:"


def read(row: Row) -> Question:
    """A row as a question."""
    endings = row.texts("endings")
    source = row.text("source_id", empty=True) or None
    return row.choice(row.text("ctx"), endings, row.index("label", len(endings)), group=source)


class HellaSwag(ChoiceConfig):
    """HellaSwag."""

    kind: Literal["hellaswag"] = "hellaswag"
    SET = Benchmark(
        name="hellaswag",
        hub=Hub("Rowan/hellaswag"),
        files={"train": FileSplit(39_905), "validation": FileSplit(10_042, ("val", "valid"))},
        columns=("ctx", "endings", "label"),
        read=read,
        splits={
            "supervisor_train": ("train", 4000),
            "validation": ("validation", 1000),
            "pool": ("validation", 4000),
            "test": ("validation", "rest"),
        },
        prompts={"": (PROMPT,)},
        keywords=("hellaswag",),
    )

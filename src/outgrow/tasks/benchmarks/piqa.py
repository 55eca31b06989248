"""PIQA (arXiv 1911.11641): which of two ways reaches a practical goal.

Source: `baber/piqa` (a Parquet copy; `ybisk/piqa` has a loading script). Numbers of rows and licence were not found.
On disk: Parquet or JSON Lines with `goal`, `sol1`, `sol2`, `label` (0 or 1). The test labels are not public.

    {"goal": "Keep a door open.", "sol1": "Put a wedge under it.", "sol2": "Put a wedge on the roof.", "label": 0}

Paper 03 (arXiv 2312.09390) poses candidates; its replication tests on validation. The words are ours. Variants: the
two options in either order. Canonical answer: the option itself.
"""

from __future__ import annotations

from typing import Literal

from outgrow.tasks.benchmarks import (
    HALVES_AND_VALIDATION,
    Benchmark,
    ChoiceConfig,
    FileSplit,
    Hub,
    Posed,
    Question,
    Row,
)


def read(row: Row) -> Question:
    """A row as a question."""
    return row.choice(row.text("goal"), (row.text("sol1"), row.text("sol2")), row.index("label", 2))


class Piqa(ChoiceConfig):
    """PIQA."""

    kind: Literal["piqa"] = "piqa"
    posed: Posed = "candidates"
    SET = Benchmark(
        name="piqa",
        hub=Hub("baber/piqa"),
        files={"train": FileSplit(), "validation": FileSplit(None, ("valid", "val", "dev"))},
        columns=("goal", "sol1", "sol2", "label"),
        read=read,
        splits=HALVES_AND_VALIDATION,
        prompts={"": ("Which way reaches the goal better?\nGoal: {text}\n{options}\n### Answer:",)},
        keywords=("piqa",),
    )

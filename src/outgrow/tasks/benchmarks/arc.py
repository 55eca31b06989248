"""ARC (arXiv 1803.05457): school science questions, three to five options.

Source: `allenai/ai2_arc` (ARC-Challenge: train 1,119, validation 299, test 1,172; ARC-Easy: 2,251, 570, 2,376;
licence CC BY-SA 4.0), pinned. On disk: Parquet or JSON Lines with `question`, `choices` (texts and labels; A to E or
1 to 5), `answerKey`; or the original JSON Lines with `question: {stem, choices}`.

    {"question": "What melts first in the sun?", "choices": {"text": ["iron", "butter", "glass"],
     "label": ["A", "B", "C"]}, "answerKey": "B"}

The words are ours. Variants: orders of the options. Canonical answer: the option itself. Splits: train halved, test.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from outgrow.tasks.benchmarks import HALVES, Benchmark, ChoiceConfig, FileSplit, Hub, Question, Row

COUNTS: Mapping[str, tuple[int, int, int]] = {"challenge": (1119, 299, 1172), "easy": (2251, 570, 2376)}


def read(row: Row) -> Question:
    """A row of the hub or of the original release as a question."""
    asked = row.cells["question"]
    if isinstance(asked, dict):
        row = Row({**row.cells, "question": asked.get("stem"), "choices": asked.get("choices")}, row.file, row.where)
    choices, right = row.labelled_choices("choices", row.text("answerKey"))
    return row.choice(row.text("question"), choices, right)


class Arc(ChoiceConfig):
    """ARC.

    Attributes:
        subset: the challenge set or the easy set.
    """

    kind: Literal["arc"] = "arc"
    subset: Literal["challenge", "easy"] = "challenge"
    revision: str | None = "210d026faf9955653af8916fad021475a3f00453"

    def benchmark(self) -> Benchmark:
        """The set."""
        train, validation, test = COUNTS[self.subset]
        return Benchmark(
            name=f"arc/{self.subset}",
            hub=Hub("allenai/ai2_arc", (f"ARC-{self.subset.title()}",)),
            files={
                "train": FileSplit(train),
                "validation": FileSplit(validation, ("dev", "val")),
                "test": FileSplit(test),
            },
            columns=("question", "answerKey"),
            read=read,
            splits=HALVES,
            prompts={"": ("Answer the science question.\nQuestion: {text}\n{options}\n### Answer:",)},
            answer=self.choice(),
            keywords=(self.subset,),
        )

"""Cosmos QA: what is likely behind, before or after an everyday story (arXiv 1909.00277).

Source: `allenai/cosmos_qa` (train 25,262, validation 2,985; the test labels are not public; licence CC BY 4.0). Its
main branch had a loading script, its pull request 6 the Parquet files. On disk: Parquet, JSON Lines or CSV with
`context`, `question`, `answer0` to `answer3`, `label` (0 to 3). Questions on one story stay together.

    {"context": "I left the oven on and went to the shops.", "question": "What may have happened?",
     "answer0": "The cake burnt.", "answer1": "It snowed indoors.", "answer2": "The shops moved.",
     "answer3": "None of the above choices .", "label": 0}

Paper 03's code (arXiv 2312.09390) halves train and tests on validation, one candidate at a time. A candidate that
speaks of the others ("None of the above choices .") is not posed alone. The words are ours, with paper 03's order of
context, question, answer. Variants: orders of the options, or the answer words in either order. Canonical answer:
the option itself.
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
from outgrow.tasks.splits import normalise_text

OPTIONS = ("answer0", "answer1", "answer2", "answer3")


def read(row: Row) -> Question:
    """A row as a question."""
    context = row.text("context")
    text = f"{context}\nQuestion: {row.text('question')}"
    choices = tuple(row.text(name) for name in OPTIONS)
    return row.choice(text, choices, row.index("label", 4), group=normalise_text(context))


class CosmosQA(ChoiceConfig):
    """Cosmos QA."""

    kind: Literal["cosmos_qa"] = "cosmos_qa"
    posed: Posed = "candidates"
    revision: str | None = "refs/pr/6"
    SET = Benchmark(
        name="cosmos_qa",
        hub=Hub("allenai/cosmos_qa"),
        files={"train": FileSplit(25_262), "validation": FileSplit(2985, ("valid", "val", "dev"))},
        columns=("context", "question", *OPTIONS, "label"),
        read=read,
        splits=HALVES_AND_VALIDATION,
        prompts={"": ("Answer the question about the story.\nStory: {text}\n{options}\n### Answer:",)},
        keywords=("cosmos", "cosmosqa"),
    )

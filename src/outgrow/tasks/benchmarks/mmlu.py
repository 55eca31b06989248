"""MMLU (arXiv 2009.03300): four-way questions of 57 subjects.

Source: `cais/mmlu`, configuration `all` (dev 285, validation 1,531, test 14,042; licence MIT). On disk: Parquet or
JSON Lines with `question`, `subject`, `choices` (four), `answer` (0 to 3); or the original CSV files without a
header (`dev/anatomy_dev.csv`: question, four options, letter), whose subject is in the file's name.

    {"question": "Which of these holds the most water?", "subject": "anatomy",
     "choices": ["a thimble", "a bucket", "a lake", "a cup"], "answer": 2}

Paper 01 (arXiv 2406.19032) trains the supervisor on dev, takes validation as the pool (90 % of it used) and tests on
test; here the pool's other tenth validates. Words: the subject named, options as A to D, "### Answer:" at the end
(paper 01); the instruction is ours. Variants: orders of the options. Canonical answer: the option itself.
"""

from __future__ import annotations

import re
from typing import Literal

from outgrow.tasks.benchmarks import Benchmark, ChoiceConfig, FileSplit, Hub, Question, Row

PROMPT = "This is a multiple-choice question about {subject}.\nQuestion: {text}\n{options}\n### Answer:"


def read(row: Row) -> Question:
    """A row as a question."""
    if "choices" in row.cells:
        choices, subject = row.texts("choices"), row.text("subject")
    else:
        choices = tuple(row.text(letter) for letter in "ABCD")
        subject = re.sub("_(dev|val|test)$", "", row.text("file_name"))
    right = row.letter("answer", len(choices))
    return row.choice(row.text("question"), choices, right, fields={"subject": subject.replace("_", " ")})


class Mmlu(ChoiceConfig):
    """MMLU."""

    kind: Literal["mmlu"] = "mmlu"
    SET = Benchmark(
        name="mmlu",
        hub=Hub("cais/mmlu", ("all",)),
        files={"dev": FileSplit(285), "validation": FileSplit(1531, ("val",)), "test": FileSplit(14_042)},
        columns=("question", "answer"),
        read=read,
        splits={
            "supervisor_train": ("dev", "rest"),
            "validation": ("validation", 0.1),
            "pool": ("validation", "rest"),
            "test": ("test", "rest"),
        },
        prompts={"": (PROMPT,)},
        headers=("question", "A", "B", "C", "D", "answer"),
        keywords=("mmlu",),
    )

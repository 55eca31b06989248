"""OpenBookQA (arXiv 1809.02789): elementary science questions with four options.

Source: `allenai/openbookqa`, configuration `main` (train 4,957, validation 500, test 500; licence unknown), pinned.
On disk: Parquet or JSON Lines with `question_stem`, `choices` (texts and labels), `answerKey`; or the original JSON
Lines with `question: {stem, choices}`.

    {"question_stem": "A kettle whistles because of", "choices": {"text": ["steam", "paint", "sand", "moss"],
     "label": ["A", "B", "C", "D"]}, "answerKey": "A"}

The words are ours; paper 03 (arXiv 2312.09390) poses candidates. Its replication had letters as right candidates and
texts as wrong ones, which gives the answer away; here both are texts. Variants: orders of the options. Canonical
answer: the option itself.
"""

from __future__ import annotations

from typing import Literal

from outgrow.tasks.benchmarks import HALVES, Benchmark, ChoiceConfig, FileSplit, Hub, Posed, Question, Row


def read(row: Row) -> Question:
    """A row of the hub or of the original release as a question."""
    asked = row.cells.get("question")
    if isinstance(asked, dict):
        hub = {"question_stem": asked.get("stem"), "choices": asked.get("choices")}
        row = Row({**row.cells, **hub}, row.file, row.where)
    choices, right = row.labelled_choices("choices", row.text("answerKey"))
    return row.choice(row.text("question_stem"), choices, right)


class OpenBookQA(ChoiceConfig):
    """OpenBookQA."""

    kind: Literal["openbookqa"] = "openbookqa"
    posed: Posed = "candidates"
    revision: str | None = "8230ac3f228b44cad2acd5038012ffed728badeb"
    SET = Benchmark(
        name="openbookqa",
        hub=Hub("allenai/openbookqa", ("main",)),
        files={"train": FileSplit(4957), "validation": FileSplit(500, ("dev", "val")), "test": FileSplit(500)},
        columns=("answerKey",),
        read=read,
        splits=HALVES,
        prompts={"": ("Answer the question.\nQuestion: {text}\n{options}\n### Answer:",)},
        keywords=("openbookqa", "obqa"),
    )

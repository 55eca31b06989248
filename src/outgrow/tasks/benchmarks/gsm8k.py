r"""GSM8K (arXiv 2110.14168): grade-school word problems with worked answers.

Source: `openai/gsm8k`, configuration `main` (train 7,473, test 1,319; licence MIT). On disk: Parquet, or JSON Lines
(`train.jsonl`) with `question` and `answer`, whose last line is "#### number".

    {"question": "Mia has 3 bags of 4 nuts. How many nuts?", "answer": "3 * 4 = <<3*4=12>>12 nuts.\n#### 12"}

Paper 01 (arXiv 2406.19032) halves train (3,736 and 3,737), uses 80 % of the pool and tests on test; here the pool's
other fifth validates. Where it asks for the number before the explanation, here the reasoning comes first and the
number last (its notes, section 10, defect 11). The instruction is ours in five wordings; paper 01's rewordings of
the questions themselves come from a stronger model, so they are answers to be asked for elsewhere, not part of the
task. Variants: the five wordings. Canonical answer: the number as `outgrow.tasks.parsing.read_number` writes it.
Extraction: behind "####", else boxed, stated or last. Solution: the worked answer without its calculator notes,
which nothing here carries out.
"""

from __future__ import annotations

import re
from typing import Literal

from outgrow.tasks.benchmarks import HALVES, Benchmark, BenchmarkConfig, FileSplit, Free, Hub, Question, Row
from outgrow.tasks.parsing import final_number, read_number

ENDING = "\nProblem: {text}\n### Answer:"
PROMPTS = tuple(
    instruction + ENDING
    for instruction in (
        'Solve the problem step by step. Write the final number on a line of its own behind "####".',
        'Work out the answer to this problem in small steps, and end with a line "#### number".',
        'Think the problem through before you answer. The last line must be "####" and the number asked for.',
        'Here is a problem in words. Show your calculation, then give the result behind "####".',
        'Find the number that is asked for. First the reasoning, line by line, then "####" and the number.',
    )
)


def read(row: Row) -> Question:
    """A row as a question."""
    answer = row.text("answer")
    gold = read_number(answer.rpartition("####")[2]) if "####" in answer else None
    if gold is None:
        raise row.fault("answer", f"must end in '#### number', ends in {answer[-30:]!r}")
    solution = re.sub(r"<<[^<>]*>>", "", answer)
    return row.classified(row.text("question"), gold, solution=solution)


class Gsm8k(BenchmarkConfig):
    """GSM8K."""

    kind: Literal["gsm8k"] = "gsm8k"
    SET = Benchmark(
        name="gsm8k",
        hub=Hub("openai/gsm8k", ("main",)),
        files={"train": FileSplit(7473), "test": FileSplit(1319)},
        columns=("question", "answer"),
        read=read,
        splits=HALVES,
        prompts={"": PROMPTS},
        answer=Free(final_number, say=lambda value: f"#### {value}"),
        max_new_tokens=512,
        keywords=("gsm8k",),
    )

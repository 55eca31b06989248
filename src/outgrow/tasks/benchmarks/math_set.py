r"""MATH (arXiv 2103.03874): competition problems with worked answers in LaTeX.

Source: `EleutherAI/hendrycks_math`, seven configurations (together train 7,500, test 5,000; licence MIT), pinned. On
disk: Parquet or JSON Lines with `problem`, `level`, `type`, `solution`, whose answer is boxed; or the original tree
with one JSON object a file (`train/algebra/1.json`).

    {"problem": "What is half of $\\frac{1}{2}$?", "level": "Level 1", "type": "Prealgebra",
     "solution": "Half of it is $\\boxed{\\frac{1}{4}}$."}

No paper of the collection gives words for it: the instruction is ours in three wordings. Variants: these wordings.
Canonical answer: the boxed LaTeX, normalised. Extraction: the last box, else what is stated. Canonicalisation:
answers that math-verify calls equal become one (extra `math`). The report breaks down by level.
"""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import Field

from outgrow.tasks.benchmarks import HALVES, Benchmark, BenchmarkConfig, FileSplit, Free, Hub, Question, Row
from outgrow.tasks.parsing import final_math, same_math

Subject = Literal[
    "algebra",
    "counting_and_probability",
    "geometry",
    "intermediate_algebra",
    "number_theory",
    "prealgebra",
    "precalculus",
]
SUBJECTS: tuple[Subject, ...] = get_args(Subject)
ENDING = "\nProblem: {text}\n### Answer:"
PROMPTS = tuple(
    instruction + ENDING
    for instruction in (
        r"Solve the problem step by step and put the final answer into \boxed{}.",
        r"Work the problem out, showing each step; end with the answer in \boxed{}.",
        r"First reason, then answer: the result belongs into \boxed{} at the very end.",
    )
)


def read(row: Row) -> Question:
    """A row as a question."""
    solution = row.text("solution")
    gold = final_math(solution) if "box" in solution else None
    if gold is None:
        raise row.fault("solution", f"must have its answer in \\boxed{{}}, ends in {solution[-30:]!r}")
    return row.classified(row.text("problem"), gold, stratum=row.text("level"), solution=solution)


class Math(BenchmarkConfig):
    """MATH.

    Attributes:
        subjects: which of its seven parts.
    """

    kind: Literal["math"] = "math"
    subjects: Annotated[tuple[Subject, ...], Field(min_length=1)] = SUBJECTS
    revision: str | None = "0bd4da3ba883718272d0e821efdf10b63c2ed3bf"

    def benchmark(self) -> Benchmark:
        """The set."""
        whole = set(self.subjects) == set(SUBJECTS)
        return Benchmark(
            name="math",
            hub=Hub("EleutherAI/hendrycks_math", self.subjects),
            files={"train": FileSplit(7500 if whole else None), "test": FileSplit(5000 if whole else None)},
            columns=("problem", "level", "solution"),
            read=read,
            splits=HALVES,
            prompts={"": PROMPTS},
            answer=Free(final_math, same_math, say=lambda value: f"\\boxed{{{value}}}"),
            max_new_tokens=1024,
            keywords=("math",),
        )

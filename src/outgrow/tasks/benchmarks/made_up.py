"""Made-up questions in the numbers a set is expected to have, for dry runs without its files."""

from __future__ import annotations

from outgrow.tasks.benchmarks.answers import Choice, Classes
from outgrow.tasks.benchmarks.config import BenchmarkConfig
from outgrow.tasks.benchmarks.loading import Loaded
from outgrow.tasks.benchmarks.spec import Benchmark
from outgrow.tasks.questions import Question

UNKNOWN_ROWS = 1000
"""Rows of a split whose number was not found."""


def made_up_questions(config: BenchmarkConfig) -> Loaded:
    """Questions of the right form and number for every split the configuration uses; their content says nothing."""
    benchmark = config.benchmark()
    present = tuple(dict.fromkeys(f for f, _ in config.dealt(tuple(benchmark.files)).values() if f is not None))
    questions = [
        _question(benchmark, split, number)
        for split in present
        for number in range(expected_rows(config, split) or UNKNOWN_ROWS)
    ]
    return Loaded(questions, present, ())


def expected_rows(config: BenchmarkConfig, split: str) -> int | None:
    """Rows of one of the set's splits that would be read; None where their number is not known."""
    benchmark = config.benchmark()
    rows, limit = benchmark.files[split].rows, config.limit or benchmark.limit
    return rows if rows is None or limit is None else min(rows, limit)


def _question(benchmark: Benchmark, split: str, number: int) -> Question:
    answer = benchmark.answer
    choices = tuple(f"option {i}" for i in range(4)) if isinstance(answer, Choice) else None
    classes = (answer.values or ()) if isinstance(answer, Classes) else ()
    gold = (choices or classes or ("0",))[number % len(choices or classes or ("0",))]
    forms = tuple(benchmark.prompts)
    text = f"made-up question {number} of {split}"
    return Question(text, choices, gold, None, None, split, "made up", forms[number % len(forms)])

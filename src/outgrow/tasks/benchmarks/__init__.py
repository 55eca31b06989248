"""The public sets of the papers as tasks: one small file each, one task class for all.

`outgrow.tasks.load("gsm8k", path="data/gsm8k")` gives a ready task; `docs/tasks.md` lists where each set was looked up.
"""

from outgrow.tasks.benchmarks.answers import YES_NO, Answer, Choice, Classes, Free
from outgrow.tasks.benchmarks.base import BenchmarkTask
from outgrow.tasks.benchmarks.cells import Row
from outgrow.tasks.benchmarks.config import BenchmarkConfig, ChoiceConfig, Posed
from outgrow.tasks.benchmarks.spec import HALVES, HALVES_AND_VALIDATION, Benchmark, FileSplit, Hub
from outgrow.tasks.questions import Question

__all__ = [
    "HALVES",
    "HALVES_AND_VALIDATION",
    "YES_NO",
    "Answer",
    "Benchmark",
    "BenchmarkConfig",
    "BenchmarkTask",
    "Choice",
    "ChoiceConfig",
    "Classes",
    "FileSplit",
    "Free",
    "Hub",
    "Posed",
    "Question",
    "Row",
]

"""The public sets of the papers as tasks: one small file each, one task class for all.

`outgrow.tasks.load("gsm8k", path="data/gsm8k")` gives a ready task; `docs/tasks.md` lists where each set was looked up.
"""

from outgrow.tasks.benchmarks.base import BenchmarkTask
from outgrow.tasks.benchmarks.config import BenchmarkConfig, ChoiceConfig
from outgrow.tasks.benchmarks.spec import Benchmark, FileSplit, Hub

__all__ = ["Benchmark", "BenchmarkConfig", "BenchmarkTask", "ChoiceConfig", "FileSplit", "Hub"]

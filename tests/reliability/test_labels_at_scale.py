"""`outgrow reliability` on a million questions with ten answers each, as a user runs it."""

import importlib.util
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "reliability.py"


@pytest.mark.slow
@pytest.mark.parametrize("shuffled", [False, True])
def test_a_million_questions_take_less_than_30_seconds_and_4_gib(tmp_path, monkeypatch, shuffled):
    monkeypatch.syspath_prepend(str(BENCHMARK.parent))  # what benchmarks share
    spec = importlib.util.spec_from_file_location("benchmark_reliability", BENCHMARK)
    benchmark = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(benchmark)
    benchmark.make(tmp_path / "answers.parquet", 1_000_000, 10, shuffled)
    answers, labels = (str(tmp_path / name) for name in ("answers.parquet", "labels.parquet"))
    spent = benchmark.machine.spent(sys.executable, "-m", "outgrow", "reliability", answers, "--out", labels)
    assert spent["cpu"] < 30  # seconds of one core, so an upper bound of the time on an idle machine
    assert spent["memory"] < 4 * 2**30
    assert pq.read_metadata(labels).num_rows == 1_000_000

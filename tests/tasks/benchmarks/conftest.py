"""Shared by the tests of benchmarks: the small sets, written to a folder once."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # benchmark_sets, for the tests' parameters


@pytest.fixture(scope="session")
def folders(tmp_path_factory):
    """Kind -> folder with its files."""
    from benchmark_sets import MADE

    root = tmp_path_factory.mktemp("sets")
    return {kind: made.write(root / kind) for kind, made in MADE.items()}


@pytest.fixture
def load(folders):
    """A small set as a task; options may be overridden."""
    from benchmark_sets import MADE

    from outgrow import tasks

    def load(kind, **options):
        return tasks.load(kind, **{"path": str(folders[kind]), **MADE[kind].options, **options})

    return load

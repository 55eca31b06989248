"""Labels without a student on the microworld: `benchmarks/label_side.py`, with the marks it must reach."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from outgrow.reliability.groups import group_sums

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def label_side():
    spec = importlib.util.spec_from_file_location("label_side", ROOT / "benchmarks" / "label_side.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules["label_side"] = module
    spec.loader.exec_module(module)
    yield module
    del sys.modules["label_side"]


def test_the_recipes_of_a_label_side_run_are_read_with_their_own_numbers_of_questions(label_side):
    for name, mix in (("ignorance", "ignorance"), ("demo", "default")):
        recipe = label_side.load(name, ["ask.variants=4"])
        assert (recipe.task.mix, recipe.task.questions.known, recipe.task.questions.pool) == (mix, 200, 2000)
        assert recipe.ask.variants == 4


@pytest.mark.slow
def test_calibration_and_estimated_accuracy_on_ignorance(label_side, tmp_path):
    """Over eight seeds; `benchmarks/label_side.py` takes twenty."""
    found = label_side.run(label_side.load("ignorance"), tmp_path, range(8), show=False)
    for kind in label_side.KINDS:
        assert np.mean([s.ece[kind] for s in found]) <= 0.05
    assert max(s.decoys.high - s.decoys.low for s in found) <= 0.10
    assert sum(s.decoys.low <= s.truth <= s.decoys.high for s in found) >= 7


@pytest.mark.slow
def test_with_misconceptions_estimates_are_too_high_or_refused(label_side, tmp_path):
    found = label_side.run(label_side.load("demo"), tmp_path, range(3), show=False)
    for s in found:
        assert s.decoys.estimate > s.truth
        assert s.votes is None or s.votes.estimate > s.truth
        assert min(s.ece.values()) < 0.1


def test_labelling_imports_neither_jaxtyping_nor_what_trains():
    heavy = ("jaxtyping", "asyncio", "torch", "sklearn", "scipy", "matplotlib")
    code = (
        "import sys, outgrow.io, outgrow.reliability, outgrow.experiment.curate, outgrow.reporting.explore; "
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_where_jaxtyping_is_there_shapes_are_checked():
    with pytest.raises(TypeError, match="group_sums"):
        group_sums(np.zeros((2, 2), np.int64), np.zeros(2), 2)

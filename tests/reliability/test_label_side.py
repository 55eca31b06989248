"""Labels without a student on the microworld: `benchmarks/label_side.py`, with the marks it must reach."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

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
    for name, mix in ((ROOT / "recipes" / "ignorance.yaml", "ignorance"), ("demo", "default")):
        recipe = label_side.load(name, ["ask.variants=4"])
        assert (recipe.task.mix, recipe.task.questions.known, recipe.task.questions.pool) == (mix, 200, 2000)
        assert recipe.ask.variants == 4


@pytest.mark.slow
def test_calibration_and_estimated_accuracy_on_ignorance_over_20_seeds(label_side, tmp_path):
    found = label_side.run(label_side.load(ROOT / "recipes" / "ignorance.yaml"), tmp_path, range(20), show=False)
    for kind in label_side.KINDS:
        assert np.mean([s.ece[kind] for s in found]) <= 0.05
    assert max(s.decoys.high - s.decoys.low for s in found) <= 0.10
    assert sum(s.decoys.low <= s.truth <= s.decoys.high for s in found) >= 18


@pytest.mark.slow
def test_with_misconceptions_both_estimates_are_too_high(label_side, tmp_path):
    found = label_side.run(label_side.load("demo"), tmp_path, range(3), show=False)
    for s in found:
        assert min(s.votes.estimate, s.decoys.estimate) > s.truth
        assert min(s.ece.values()) < 0.1

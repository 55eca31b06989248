"""Small sets carried through a whole run with the microworld's models: options scored, and text generated and read."""

import pytest

from outgrow.execution.run import run_recipe
from outgrow.recipe.recipe import parse_recipe

SPLITS = {"supervisor_train": 4, "pool": 6, "validation": 2, "test": {"file": "test", "count": 6}}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "options", "decoding", "rows"),
    [
        ("sciq", {"posed": "candidates"}, "options", 12),  # two candidates of each of 6 questions
        ("gsm8k", {"max_new_tokens": 12}, "generate", 6),
    ],
)
def test_a_run_on_a_benchmark(folders, tmp_path, kind, options, decoding, rows):
    recipe = parse_recipe(
        {
            "task": {"kind": kind, "path": str(folders[kind]), "splits": SPLITS, **options},
            "supervisors": [{"model": "microworld/mini", "train": {"epochs": 1, "checkpoints": 1}}],
            "student": {"model": "microworld/mini"},
            "ask": {"variants": 2, "decoding": decoding},
            "train": {"epochs": 1, "batch_size": 4, "checkpoints": 1, "max_length": 256},
            "methods": ["strong_ceiling"],
            "seeds": [0],
        }
    )
    results = run_recipe(recipe, store=tmp_path / "store", out=tmp_path / "out", jobs=1).only
    arm = results["arms"][0]
    assert arm["name"] == "strong_ceiling"
    assert arm["rows"] == [rows]
    assert arm["label_accuracy"] == [1.0]  # gold rows are read back as gold

"""Every recipe in the repository and the package is read, and run dry where its files are there."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from outgrow.dry import plan
from outgrow.recipe import builtin_recipes, load_recipe, parse_recipe

ROOT = Path(__file__).parents[1]
SHARED = ROOT / ".." / "shared" / "data"
RECIPES = sorted([*(ROOT / "recipes").glob("*.yaml"), *builtin_recipes().values()])


@pytest.fixture(params=RECIPES, ids=lambda path: path.stem)
def recipe(request):
    return load_recipe(request.param, [f"data_dir={SHARED}"])


def test_there_are_recipes():
    assert {"demo", "slurp_scenario"} <= {path.stem for path in RECIPES}


def test_a_recipe_reads_and_its_resolved_form_reads_back(recipe):
    assert parse_recipe(recipe.resolved()).canonical_json() == recipe.canonical_json()


def test_a_recipe_is_named_like_its_file(recipe):
    assert recipe.name == Path(recipe.path).stem


def test_a_recipe_runs_dry(recipe):
    if recipe.task.kind == "table" and not (SHARED / next(iter(recipe.task.paths().values()))).exists():
        pytest.skip("the recipe's files are not in ../shared/data")
    jobs = {job.name: job for job in plan(recipe)}
    assert set(jobs) >= {arm.id for arm in recipe.methods}
    arms = [jobs[arm.id] for arm in recipe.methods]
    assert all(arm.rows > 0 for arm in arms)
    assert len({arm.steps for arm in arms}) == 1  # the same budget for every arm (definition 6)


def test_the_guide_to_slurp_reduces_the_public_form(tmp_path):
    """The record of SLURP's own documentation: token 4, "eight", is the time."""
    words = ["wake", "me", "up", "at", "eight", "o'clock"]
    record = {
        "slurp_id": 4489,
        "sentence": "wake me up at eight o'clock",
        "intent": "alarm_set",
        "action": "set",
        "tokens": [{"surface": word, "id": i} for i, word in enumerate(words)],
        "scenario": "alarm",
        "recordings": [],
        "entities": [{"span": [4], "type": "time"}],
    }
    for split in ("devel", "test"):
        (tmp_path / f"{split}.jsonl").write_text(json.dumps(record) + "\n")
    guide = (ROOT / "docs" / "slurp.md").read_text(encoding="utf-8")
    script = re.search(r"```python\n(.*?)```", guide, re.DOTALL).group(1)
    subprocess.run([sys.executable, "-c", script, tmp_path, tmp_path / "out"], check=True, timeout=60)
    reduced = json.loads((tmp_path / "out" / "slurp_devel.jsonl").read_text())
    assert reduced == {
        "slurp_id": 4489,
        "sentence": "wake me up at eight o'clock",
        "scenario": "alarm",
        "action": "set",
        "slots": [{"type": "time", "filler": "eight"}],
    }

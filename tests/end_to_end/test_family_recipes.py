"""The recipes of the families *claim* and *sums*, carried out as they are."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

RECIPES = Path(__file__).resolve().parents[2] / "src" / "outgrow" / "recipes"


def carry_out(name, folder):
    """The contents of results.json after `outgrow run recipes/NAME.yaml`."""
    command = [sys.executable, "-m", "outgrow", "run", str(RECIPES / f"{name}.yaml")]
    command += ["--store", str(folder / "store"), "--out", str(folder / "out")]
    ended = subprocess.run(command, cwd=folder, env=dict(os.environ), capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    results = json.loads((folder / "out" / "results.json").read_text())
    (cell,) = results["cells"]
    return cell


@pytest.mark.slow
@pytest.mark.parametrize("name", ["claims", "sums"])
def test_the_recipe_of_a_family_runs_to_its_report(name, tmp_path):
    results = carry_out(name, tmp_path)
    assert len(results["arms"]) == {"claims": 6, "sums": 4}[name]
    for arm in results["arms"]:
        assert len(arm["accuracy"]["per_seed"]) == 2
        assert set(arm["steps"]) == set(results["arms"][0]["steps"])
    assert results["reliability"]["unparsed_share"] < 0.05
    report = (tmp_path / "out" / "report.html").read_text()
    assert all(arm["name"] in report for arm in results["arms"])
    if name == "sums":
        arms = {arm["name"]: arm for arm in results["arms"]}
        assert arms["strong_ceiling"]["accuracy"]["value"] > results["supervisor"]["floor"]["value"]
        # a gap of 8 points, but two seeds: t(.975) is 12.7, and one says so
        assert "lower limit" in arms["naive"]["pgr"]["reason"]

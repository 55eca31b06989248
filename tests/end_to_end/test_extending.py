"""docs/extending.md: its package is built outside the repository, found by its entry points, and run."""

import importlib.util
import json
import os
import subprocess
import sys
import tomllib
from pathlib import Path
from types import SimpleNamespace

import pytest

ROOT = Path(__file__).parents[2]
_spec = importlib.util.spec_from_file_location("guide", ROOT / "tests" / "guide.py")
guide = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(guide)
CODE = "\n".join(guide.blocks("docs/extending.md", "python"))
PROJECT = tomllib.loads(guide.blocks("docs/extending.md", "toml")[0])["project"]
POINTS = [point for group in PROJECT["entry-points"].values() for point in group.values()]
(RECIPE,) = guide.blocks("docs/extending.md", "yaml")


def run(folder, *arguments, site=None):
    """`outgrow ...` in a process of its own that stands in `folder` and sees the packages in `site`."""
    path = [str(ROOT / "src"), *([str(site)] if site else [])]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(path), "COLUMNS": "200"}
    command = [sys.executable, "-m", "outgrow", *map(str, arguments)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)


def install(site, module="outgrow_extras", code=CODE, project=PROJECT):
    """What pip leaves behind: the module, and beside it its metadata with the entry points."""
    info = site / f"{module}-{project['version']}.dist-info"
    info.mkdir(parents=True)
    (site / f"{module}.py").write_text(code)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n")
    groups = project["entry-points"].items()
    lines = (
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items()) for group, points in groups
    )
    (info / "entry_points.txt").write_text("\n".join(lines))
    return site


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """The package, and a folder with the recipe."""
    folder = tmp_path_factory.mktemp("extras")
    install(folder / "site")
    (folder / "recipe.yaml").write_text(RECIPE)
    return folder


VERBS = """
import json, sys
from outgrow.__main__ import main
for arguments in json.loads(sys.argv[1]):
    sys.argv = ["outgrow", *arguments]
    try:
        main()
    except SystemExit:
        pass
    print("END")
"""


def several(folder, *commands, site=None):
    """What each of several commands prints, all in one process of their own."""
    path = os.pathsep.join([str(ROOT / "src"), *([str(site)] if site else [])])
    environment = {**os.environ, "PYTHONPATH": path, "COLUMNS": "300"}
    command = [sys.executable, "-c", VERBS, json.dumps(commands)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return done.stdout.split("END\n")[:-1]


def arms(folder):
    (cell,) = json.loads((folder / "results.json").read_text())["cells"]
    return {arm["name"]: arm for arm in cell["arms"]}


def test_what_an_installed_package_brings_runs_in_worker_processes(place):
    changed = ("seeds=[0]", "methods.1.share=1")
    done = run(place, "run", "recipe.yaml", *changed, "--jobs", 2, "--out", "out", site=place / "site")
    assert done.code == 0, done.err
    made = arms(place / "out")
    assert set(made) == {"naive", "firm_votes", "twice", "clipped", "strong_ceiling"}
    # two guesses agree about every second time; naive trains on every first one
    assert made["naive"]["rows"] == [24]
    assert 0 < made["firm_votes"]["rows"][0] < 24
    results = json.loads((place / "out" / "results.json").read_text())
    assert results["recipe"]["methods"][3]["objective"] == {"name": "clipped", "most": 1.5}
    (cell,) = results["cells"]
    assert (results["task"]["name"], cell["supervisor"]["model"]) == ("parity", "a guess")
    assert made["clipped"]["curves"][0]["loss"][0][1] <= 1.5 < made["naive"]["curves"][0]["loss"][0][1]
    assert [stage["name"] for stage in made["twice"]["stages"]] == ["first", "second"]
    kept = {t["name"]: t["key"] for t in json.loads((place / "out" / "provenance.json").read_text())["trained"]}
    assert "loss" in {metric["name"] for metric in cell["metrics"]}
    assert kept["naive"] != kept["clipped"]  # another objective is another training


@pytest.mark.slow
def test_the_same_code_as_a_plugin_file_runs_in_worker_processes(tmp_path):
    lines = "".join(f"outgrow.register({point.partition(':')[2]})\n" for point in POINTS)
    (tmp_path / "mine.py").write_text(f"{CODE}\nimport outgrow\n{lines}")
    (tmp_path / "recipe.yaml").write_text(RECIPE + "plugins: [mine.py]\n")
    done = run(
        tmp_path,
        "run",
        "recipe.yaml",
        "seeds=[0]",
        "methods=[naive, firm_votes]",
        "evaluation={}",
        "--jobs",
        2,
        "--out",
        "out",
    )
    assert done.code == 0, done.err
    assert arms(tmp_path / "out")["firm_votes"]["rows"][0] < 24


def test_lists_schema_and_dry_run_know_the_package(place):
    listed = {"methods": "firm_votes", "tasks": "parity", "objectives": "clipped", "supervisors": "guess"}
    listed["metrics"] = "loss"
    commands = [[verb] for verb in listed]
    *lists, settings, schema, dry = several(
        place, *commands, ["methods", "firm_votes"], ["schema"], ["run", "recipe.yaml", "--dry"], site=place / "site"
    )
    for name, said in zip(listed.values(), lists, strict=True):
        assert "outgrow-extras 1.0" in next(line for line in said.splitlines() if line.startswith(name))
    assert "of a question's answers that give its label, at least" in settings
    titles = [task["title"] for task in json.loads(schema)["properties"]["task"]["oneOf"]]
    assert "parity" in titles
    assert "firm_votes" in dry


def test_a_package_that_cannot_be_imported_is_told_by_its_use_and_by_lists_alone(tmp_path):
    points = {"outgrow.methods": {"broken": "outgrow_broken:X", "naive": "outgrow_broken:Y"}}
    project = {"name": "outgrow-broken", "version": "0.3", "entry-points": points}
    install(tmp_path / "site", "outgrow_broken", "import nothing_of_that_name\n", project)
    why = (
        "method 'broken' of outgrow-broken 0.3 cannot be imported from outgrow_broken:X: ModuleNotFoundError: No module"
    )
    used = run(tmp_path, "run", "demo", "methods=[broken]", "--dry", site=tmp_path / "site")
    assert used.code == 2
    assert f"methods: the 1st (broken): {why}" in used.err
    listed, settings = several(tmp_path, ["methods"], ["methods", "naive"], site=tmp_path / "site")
    assert f"error: {why}" in listed
    assert "error: method 'naive' is registered twice, by outgrow and by outgrow-broken 0.3" in listed
    assert "no settings" in settings  # ours stays ours

"""README and the guides say what works: their commands and examples are carried out."""

import importlib.util
import re
import shutil
import subprocess
import sys
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import pytest
from packaging.requirements import Requirement


def _module(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


guide = _module(Path(__file__).with_name("guide.py"))


def test_a_new_users_first_path_works_as_readme_says_it(tmp_path):
    said = guide.walk(tmp_path)
    guide.check(tmp_path)
    assert "24 questions, 120 answers, 3 invalid" in said
    assert "learnt from 12 known gold labels" in said
    for flag in ("spammer: 1 ", "adversarial: 1 ", "near-copy: 1 ", "left out: 3 annotators (gus, hal, ida)"):
        assert flag in said


@pytest.fixture
def trained(tmp_path, monkeypatch):
    """Instead of training: a finished run whose answers are made up. What the recipe would have been is kept."""
    fabricate = _module(guide.ROOT / "tests" / "reporting" / "fabricate.py")
    recipes = []

    def run_recipe(recipe, **options):
        recipes.append(recipe)
        fabricate.fabricate(tmp_path / "run", questions=400, seeds=3)
        return SimpleNamespace(folder=tmp_path / "run")

    monkeypatch.setattr("outgrow.execution.run.run_recipe", run_recipe)
    return recipes


def test_every_python_example_runs_top_to_bottom(tmp_path, monkeypatch, capsys, trained):
    shutil.copytree(guide.ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    examples = guide.blocks("docs/python.md", "python")
    assert len(examples) >= 11
    names = {}
    for number, example in enumerate(examples):
        exec(compile(example, f"docs/python.md, example {number + 1}", "exec"), names)
    said = capsys.readouterr().out
    assert "'value': 'billing'" in said
    assert str(tmp_path / "run" / "report.html") in said
    assert [(recipe.name, recipe.train.epochs) for recipe in trained] == [("small", 2)]
    assert (tmp_path / "train.jsonl").read_text().count("\n") == 12


CORE_ALONE = """
import os, sys
from types import SimpleNamespace

root, place, absent = sys.argv[1], sys.argv[2], set(sys.argv[3:])

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in absent:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Absent())
sys.path[:0] = [f"{root}/tests", f"{root}/tests/reporting"]
import fabricate
import guide
import outgrow.execution.run
from pathlib import Path

def run_recipe(recipe, **options):
    fabricate.fabricate(Path(place, "run"), questions=400, seeds=3)
    return SimpleNamespace(folder=Path(place, "run"))

outgrow.execution.run.run_recipe = run_recipe
names = {}
for number, example in enumerate(guide.blocks("docs/python.md", "python")):
    exec(compile(example, f"docs/python.md, example {number + 1}", "exec"), names)
print("LOADED", sorted(absent & set(sys.modules)))
"""


def test_the_python_page_runs_with_the_core_install_alone(tmp_path):
    """Nothing but the core's packages and what they need can be imported: no torch, no transformers, no pandas."""
    from outgrow.models.doctor import CORE, _modules, _plain, requirements

    needed, modules = requirements(), _modules()
    core, todo = set(), [each.name for each in needed[CORE]]
    while todo:
        if (name := _plain(todo.pop())) not in core:
            core.add(name)
            lines = map(Requirement, metadata.requires(name) or [])
            todo += [each.name for each in lines if each.marker is None or each.marker.evaluate({"extra": ""})]
    others = {_plain(each.name) for own in needed.values() for each in own} - core
    absent = {modules[name] for name in others if name in modules}
    assert {"torch", "transformers", "tokenizers", "pandas"} <= absent
    shutil.copytree(guide.ROOT / "examples", tmp_path / "examples")
    command = [sys.executable, "-c", CORE_ALONE, str(guide.ROOT), str(tmp_path), *sorted(absent)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "LOADED []"


@pytest.mark.skipif(not shutil.which("make"), reason="no make here")
def test_the_demo_says_what_it_installs_and_how_large_before_it_does(tmp_path):
    said = subprocess.run(
        ["make", "-n", "demo", f"VENV={tmp_path}/venv"], cwd=guide.ROOT, capture_output=True, text=True, check=True
    ).stdout
    assert said.index("about 1.6 GB with a torch for CPUs") < said.index("about 7 GB") < said.index("-e '.[train]'")
    assert said.index(f"Into {tmp_path}/venv go outgrow, torch, transformers") < said.index("-m venv")


def commands():
    """Every `outgrow ...` that a page, a shipped recipe or a verb's help shows, with where."""
    from outgrow.cli.app import VERBS

    pages = [guide.ROOT / "README.md", *(guide.ROOT / "docs").glob("*.md"), *(guide.ROOT / "examples").glob("*")]
    pages += (guide.ROOT / "src/outgrow/recipes").glob("*.yaml")
    for page in pages:
        text = page.read_text(encoding="utf-8").replace("\\\n", " ")
        for found in re.findall(r"^\W*(?:\w+=\S+ )*((?:[^\s`]*/)?outgrow (?!\[)[^`\n]*)|`(outgrow [^`]*)`", text, re.M):
            yield page.name, "".join(found)
    yield from (("help", example) for example in VERBS.values() if example)


def test_commands_can_be_pasted_into_every_shell():
    """zsh takes [ ] for a pattern of file names, and bash { } and * too: in quotes they are what they are."""
    found = list(commands())
    assert len(found) > 40
    assert any("'seeds=[0,1]'" in command for _, command in found)
    bare = [(place, re.sub(r"'[^']*'|\"[^\"]*\"|\s#.*", "", command)) for place, command in found]
    assert [(place, command) for place, command in bare if set(command) & set("[]{}*?")] == []


@pytest.mark.parametrize("page", ["README.md", "docs/supervisors.md", "docs/tasks.md", "docs/python.md", "docs/api.md"])
def test_links_between_the_pages_lead_somewhere(page):
    text = (guide.ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if not link.startswith("http")]
    assert all((guide.ROOT / page).parent.joinpath(link).exists() for link in links), links


def test_the_recipe_in_readme_is_one(tmp_path):
    import yaml

    from outgrow.recipe.recipe import parse_labelling

    recipe = parse_labelling(yaml.safe_load(guide.blocks("README.md", "yaml")[0]))
    assert (recipe.supervisors[0].kind, recipe.ask.variants) == ("server", 5)

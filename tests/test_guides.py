"""README and the guides say what works: their commands and examples are carried out."""

import importlib.util
import shutil
from pathlib import Path

import pytest

_spec = importlib.util.spec_from_file_location("guide", Path(__file__).with_name("guide.py"))
guide = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(guide)


def test_a_new_users_first_path_works_as_readme_says_it(tmp_path):
    said = guide.walk(tmp_path)
    guide.check(tmp_path)
    assert "24 questions, 120 answers, 3 invalid" in said
    assert "learnt from 12 known gold labels" in said


def test_every_python_example_runs_top_to_bottom(tmp_path, monkeypatch, capsys):
    shutil.copytree(guide.ROOT / "examples", tmp_path / "examples")
    monkeypatch.chdir(tmp_path)
    examples = guide.blocks("docs/python.md", "python")
    assert len(examples) >= 7
    names = {}
    for number, example in enumerate(examples):
        exec(compile(example, f"docs/python.md, example {number + 1}", "exec"), names)
    assert "'value': 'billing'" in capsys.readouterr().out
    assert (tmp_path / "train.jsonl").read_text().count("\n") == 12


@pytest.mark.parametrize("page", ["README.md", "docs/supervisors.md", "docs/tasks.md", "docs/python.md"])
def test_links_between_the_pages_lead_somewhere(page):
    import re

    text = (guide.ROOT / page).read_text(encoding="utf-8")
    links = [link for link in re.findall(r"\]\(([^)#]+)\)", text) if not link.startswith("http")]
    assert all((guide.ROOT / page).parent.joinpath(link).exists() for link in links), links


def test_the_recipe_in_readme_is_one(tmp_path):
    import yaml

    from outgrow.recipe.recipe import parse_labelling

    recipe = parse_labelling(yaml.safe_load(guide.blocks("README.md", "yaml")[0]))
    assert (recipe.supervisors[0].kind, recipe.ask.variants) == ("server", 5)

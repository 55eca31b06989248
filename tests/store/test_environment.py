"""What a manifest says about the place where a result was made."""

import sys
from types import SimpleNamespace

import numpy as np

from outgrow.store import environment, environment_id

HERE = {"versions": {"numpy": "2.0"}, "python": "3.11.7", "hardware": {"cores": 2}, "platform": "Linux 6", "git": None}


def test_versions_of_installed_libraries_only():
    fields = environment()
    assert fields["versions"]["numpy"] == np.__version__
    assert all(isinstance(version, str) and version for version in fields["versions"].values())


def test_environments_differ_by_versions_python_and_hardware_only():
    assert environment_id(HERE) == environment_id({**HERE, "platform": "Linux 7", "git": "abc", "step": "train"})
    others = [{"versions": {"numpy": "2.1"}}, {"python": "3.12.0"}, {"hardware": {"cores": 4}}]
    assert len({environment_id(HERE), *(environment_id({**HERE, **other}) for other in others)}) == 4
    assert len(environment_id(HERE)) == 12


def test_graphics_cards_are_named_once_torch_is_loaded(monkeypatch):
    cuda = SimpleNamespace(is_available=lambda: True, device_count=lambda: 2, get_device_name=lambda i: f"card {i}")
    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=cuda))
    assert environment()["hardware"]["gpu"] == ["card 0", "card 1"]
    monkeypatch.delitem(sys.modules, "torch")
    assert environment()["hardware"]["gpu"] == []

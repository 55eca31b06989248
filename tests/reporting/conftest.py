"""A fabricated run's folder, made once, and ways to change its results."""

from __future__ import annotations

import importlib.util
import json
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, Path(__file__).parent / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def fabricate() -> ModuleType:
    """The module that fabricates results folders."""
    return _load("fabricate")


@pytest.fixture(scope="session")
def folder(fabricate: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fabricated run: 40 test questions, 3 seeds. Read only; tests that write copy it."""
    path = tmp_path_factory.mktemp("run")
    fabricate.fabricate(path, questions=40, seeds=3)
    return path


@pytest.fixture
def results(folder: Path) -> dict[str, Any]:
    """Raw results that a test may change."""
    return json.loads((folder / "results.json").read_text("utf-8"))


@pytest.fixture
def provenance(folder: Path) -> dict[str, Any]:
    """Raw provenance that a test may change."""
    return json.loads((folder / "provenance.json").read_text("utf-8"))


@pytest.fixture
def arm(results: dict[str, Any]) -> Callable[[str], dict[str, Any]]:
    """An arm of `results` by name."""
    return lambda name: next(each for each in results["arms"] if each["name"] == name)


@pytest.fixture(scope="session")
def hostile() -> ModuleType:
    """The module that puts hostile text into a results folder."""
    return _load("hostile")


@pytest.fixture(scope="session")
def report(fabricate: ModuleType, hostile: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A fabricated run's folder, full of hostile text, with its report written."""
    from outgrow.reporting import write_report

    path = tmp_path_factory.mktemp("report")
    fabricate.fabricate(path, questions=40, seeds=3)
    hostile.poison(path, fabricate.write_answers)
    write_report(path)
    return path

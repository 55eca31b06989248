"""A finished run in the hand: its table in print, in Arrow and in a notebook, its numbers one by one."""

from __future__ import annotations

import json
import math
import shutil
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest

import outgrow
from outgrow.core.errors import ConfigError, DataError
from outgrow.reporting.result import TABLE

RECIPE = {
    "name": "plain",
    "task": {"kind": "microworld", "family": "choice"},
    "supervisors": [{"model": "microworld/mini"}],
    "student": {"model": "microworld/base"},
    "methods": ["naive", "strong_ceiling"],
}


def test_the_table_has_a_row_per_arm_with_the_numbers_of_the_results(folder, results, arm):
    table = outgrow.load_run(folder).table()
    assert table.schema == TABLE
    assert table["arm"].to_pylist() == [each["name"] for each in results["arms"]]
    rows = {row["arm"]: row for row in table.to_pylist()}
    naive, best = arm("naive"), arm("uncertainty_filtering")
    assert (rows["naive"]["supervisor"], rows["naive"]["student"]) == ("mini", "microworld/base")
    assert rows["naive"]["accuracy_low"] == naive["accuracy"]["low"]
    assert math.isnan(rows["naive"]["difference"])  # it is what the others are compared with
    against = next(each for each in results["comparisons"] if (each["a"], each["b"]) == (best["name"], "naive"))
    row = rows["uncertainty_filtering"]
    assert (row["difference"], row["difference_high"], row["p_holm"]) == (
        against["value"], against["high"], against["p_holm"],
    )  # fmt: skip
    assert row["rows"] == sum(best["rows"]) / len(best["rows"])
    assert [rows[name]["kind"] for name in ("naive", "random_filtering", "strong_ceiling")] == [
        "method", "control", "oracle",
    ]  # fmt: skip


def test_a_gap_recovered_that_is_undefined_is_nan_in_the_table(tmp_path, folder, results):
    results["arms"][0]["pgr"] = {"value": 0.4, "low": -9.0, "high": 9.0, "defined": False, "reason": "no gap"}
    (tmp_path / "results.json").write_text(json.dumps(results))
    row = outgrow.load_run(tmp_path).table().slice(0, 1).to_pylist()[0]
    assert all(math.isnan(row[name]) for name in ("pgr", "pgr_low", "pgr_high"))
    assert not math.isnan(row["accuracy"])


def test_numbers_come_one_by_one(folder, arm):
    result = outgrow.load_run(str(folder))
    naive = result.arms["naive"]
    assert (naive.accuracy.value, naive.accuracy.low) == (arm("naive")["accuracy"]["value"], naive.accuracy.low)
    assert naive.pgr.value == arm("naive")["pgr"]["value"]
    assert list(result.arms) == result.table()["arm"].to_pylist()
    assert result.supervisor.floor.value < naive.accuracy.value
    assert result.difference("uncertainty_filtering", "naive").value > 0
    assert result.difference("naive", "nobody") is None
    assert result.zero_shot is not None


@pytest.fixture
def ladder(tmp_path, results):
    """A run of two cells with one supervisor: the second student is .01 worse in every arm."""
    shared = {"format": 2, **{name: results.pop(name) for name in ("name", "seeds", "task", "recipe")}}
    cells = []
    for student, worse in (("base", 0.0), ("small", 0.01)):
        cell = json.loads(json.dumps({**results, "name": f"mini+{student}"}))
        cell["student"] = {"name": student, "model": f"microworld/{student}"}
        for each in cell["arms"]:
            each["accuracy"]["value"] -= worse
        cells.append(cell)
    (tmp_path / "results.json").write_text(json.dumps({**shared, "cells": cells}))
    return outgrow.load_run(tmp_path)


def test_a_run_of_several_cells_has_rows_for_each_and_gives_one_by_name(ladder, results):
    arms = len(results["arms"])
    table = ladder.table()
    assert table["student"].to_pylist() == ["base"] * arms + ["small"] * arms
    values = table["accuracy"].to_pylist()
    assert values[arms:] == pytest.approx([value - 0.01 for value in values[:arms]])
    small = ladder.cell(student="small")
    assert [arm.accuracy.value for arm in small.arms.values()] == values[arms:]
    assert small.folder == ladder.folder / "cells" / "mini+small"
    assert small.cell() is small
    assert "small" in str(ladder)
    assert "small" in ladder._repr_html_()


def test_numbers_of_several_cells_are_not_taken_from_the_first(ladder):
    with pytest.raises(ConfigError, match=r"2 cells .* The cells are mini and base, mini and small"):
        ladder.arms  # noqa: B018
    with pytest.raises(ConfigError, match="0 cells of 'fabricated demo' fit supervisor None and student 'huge'"):
        ladder.cell(student="huge")


def test_printing_shows_a_line_per_arm_and_where_the_run_lies(folder):
    result = outgrow.load_run(folder)
    lines = str(result).splitlines()
    assert repr(result) == str(result)
    assert lines[0] == result.name == "fabricated demo"
    assert lines[-1] == f"folder: {folder}"
    for name, arm in result.arms.items():
        (line,) = [line for line in lines if line.split() and line.split()[0] == name]
        assert f"{100 * arm.accuracy.value:.1f}" in line
    assert len(lines) <= len(result.arms) + 7  # no cell is broken over lines


class _Text(HTMLParser):
    def __init__(self):
        super().__init__()
        self.tags, self.words = [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        assert not attrs

    def handle_data(self, data):
        self.words.append(data)


def test_a_notebook_shows_hostile_names_as_text(report):
    result = outgrow.load_run(report)
    shown = _Text()
    shown.feed(result._repr_html_())
    assert set(shown.tags) == {"table", "caption", "thead", "tbody", "tr", "th", "td", "p"}
    for name in result.arms:
        assert any(name in word for word in shown.words)


def test_a_run_knows_its_report_once_it_is_written(tmp_path, folder):
    shutil.copytree(folder, tmp_path / "run")
    assert outgrow.load_run(tmp_path / "run").report is None
    page = outgrow.report(tmp_path / "run").html
    assert outgrow.load_run(tmp_path / "run").report == page


def test_a_folder_without_results_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"no results\.json"):
        outgrow.load_run(tmp_path)


@pytest.fixture
def runs(monkeypatch, folder):
    """Recipes and options that would be run; the fabricated folder stands for what comes of it."""
    calls = []

    def run_recipe(recipe, **options):
        calls.append((recipe, options))
        return SimpleNamespace(folder=folder)

    monkeypatch.setattr("outgrow.execution.run.run_recipe", run_recipe)
    monkeypatch.setattr("outgrow.reporting.write.write_report", lambda where: calls.append(("report", where)))
    return calls


def test_run_takes_a_mapping_a_name_a_file_or_a_recipe(runs, tmp_path, folder):
    import yaml

    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(RECIPE))
    loaded = outgrow.load_recipe(RECIPE)
    sources = [RECIPE, str(tmp_path / "mine.yaml"), tmp_path / "mine.yaml", loaded]
    for source in sources:
        result = outgrow.run(source, report=False)
        assert result.folder == folder
    assert [recipe.name for recipe, _ in runs] == ["plain"] * 4
    assert len({recipe.canonical_json() for recipe, _ in runs}) == 1
    outgrow.run("claims", report=False)
    outgrow.run(report=False)
    assert [recipe.name for recipe, _ in runs[4:]] == ["claims", "demo"]
    assert runs[-1][1]["store"] == "outgrow-store"


@pytest.mark.parametrize("source", [RECIPE, "demo"])
def test_overrides_change_a_recipe_wherever_it_came_from(runs, source):
    changes = ["seeds=[7]", "train.epochs=2"]
    outgrow.run(source, overrides=changes)
    outgrow.run(outgrow.load_recipe(source), overrides=changes)
    outgrow.run(outgrow.load_recipe(source), overrides="seeds=[7]")
    recipes = [call[0] for call in runs if call[0] != "report"]
    assert [recipe.seeds for recipe in recipes] == [(7,)] * 3
    assert recipes[0].canonical_json() == recipes[1].canonical_json()
    assert [call[0] for call in runs].count("report") == 3


def test_run_without_progress_says_nothing(runs, capsys):
    outgrow.run(RECIPE, progress=False)
    silent = runs[0][1]["progress"]
    with silent:
        silent.say("a line")
    assert capsys.readouterr() == ("", "")
    outgrow.run(RECIPE)
    assert runs[2][1]["progress"] is None  # the run's own, on stderr


def test_a_faulty_recipe_is_refused_with_all_its_faults(runs):
    with pytest.raises(ConfigError, match="has 2 errors"):
        outgrow.run({**RECIPE, "methods": ["naiv"], "sedes": [1]})
    assert runs == []

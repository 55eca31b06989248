"""The floors of several supervisors, counted by hand on a few answers."""

from types import SimpleNamespace

import numpy as np
import pytest

from outgrow import evaluation as ev
from outgrow.evaluation.intervals import Joint
from outgrow.experiment.cells import Cell
from outgrow.experiment.results.arm import by_floor, measured
from outgrow.experiment.results.cell import CollectedCell
from outgrow.experiment.results.floors import floors_of
from outgrow.experiment.together import obstacle
from outgrow.recipe.recipe import parse_recipe

# 40 questions, two seeds: the share right of the first 20 and of the last 20, all or none of them
RIGHT = {
    "floor:a": ([1, 0], [1, 0]),  # 1/2
    "floor:b": ([0, 0], [1, 1]),  # 0, then 1: also 1/2 on the whole
    "floor:c": ([0, 0], [0, 0]),
    "joint": ([1, 1], [1, 0]),  # 3/4
    "majority": ([1, 0], [0, 0]),  # 1/4
    "arm:naive": ([1, 1], [1, 1]),
    "arm:strong_ceiling": ([1, 1], [1, 1]),
}


def recipe_of(tmp_path, **changes):
    (tmp_path / "config.json").write_text("{}")
    raw = {
        "task": {"kind": "table", "path": "data.csv", "text": "text", "label": "label"},
        "supervisors": [{"model": str(tmp_path), "name": name} for name in "abc"],
        "student": {"model": str(tmp_path)},
        "methods": ["naive", "strong_ceiling"],
        "seeds": [0, 1],
    }
    return parse_recipe({**raw, **changes})


def cell_of(recipe, unanswered=(0, 0, 0)):
    """The part of a collected cell that floors are made of."""
    right = {name: np.repeat(np.array(halves, float), 20, axis=1) for name, halves in RIGHT.items()}
    counted = {name: np.stack([scores, np.ones(scores.shape)], axis=2) for name, scores in right.items()}
    paired = ev.PairedScores(ev.METRICS["accuracy"], np.arange(40), counted)
    made = object.__new__(CollectedCell)
    made.recipe, made.scores, made.cell = recipe, right, Cell(tuple(range(len(recipe.supervisors))), 0)
    made.paired = paired.with_mean("floor", ["floor:a", "floor:b", "floor:c"])
    made.members = tuple(SimpleNamespace(name=name, unanswered=n) for name, n in zip("abc", unanswered, strict=True))
    made.unanswered, made.chance = max(unanswered), None
    made.test = SimpleNamespace(ids=[f"q{i}" for i in range(40)])
    return made


def test_the_mean_is_over_supervisors_with_the_error_of_that_mean(tmp_path):
    cell = cell_of(recipe_of(tmp_path))
    mean = measured(cell.paired, "floor")
    assert mean["value"] == pytest.approx((1 / 2 + 1 / 2 + 0) / 3)
    assert mean["per_seed"] == pytest.approx([(1 / 2 + 0 + 0) / 3, (1 / 2 + 1 + 0) / 3])
    each = Joint({name: cell.scores[f"floor:{name}"] for name in "abc"}, np.arange(40))
    expected = each.interval({"a": 1 / 3, "b": 1 / 3, "c": 1 / 3})
    assert (mean["low"], mean["high"]) == pytest.approx((expected.low, expected.high))


def test_the_best_is_one_supervisor_for_all_seeds_and_of_equals_the_first(tmp_path):
    floors = {floor.name: floor for floor in floors_of(cell_of(recipe_of(tmp_path)))}
    assert list(floors) == ["mean", "best", "joint", "majority"]
    assert floors["best"].supervisor == "a"  # b is better in the second seed, and equal on the whole
    assert all(floor.reason is None for floor in floors.values())


def test_an_arm_stands_beside_each_floor(tmp_path):
    cell = cell_of(recipe_of(tmp_path))
    beside = by_floor(cell, "strong_ceiling")["by_floor"]
    # the arm is right throughout
    differences = {name: each["difference"]["value"] for name, each in beside.items()}
    assert differences == pytest.approx({"mean": 2 / 3, "best": 1 / 2, "joint": 1 / 4, "majority": 3 / 4})
    joint = cell.paired.difference("arm:strong_ceiling", "joint")
    assert (beside["joint"]["difference"]["low"], beside["joint"]["difference"]["high"]) == (joint.low, joint.high)
    expected = cell.paired.gap_recovered("arm:naive", floor="floor:a", ceiling="arm:strong_ceiling")
    assert by_floor(cell, "naive")["by_floor"]["best"]["pgr"]["value"] == expected.value == 1.0


def test_without_a_supervisors_answers_to_the_test_there_is_no_floor(tmp_path):
    cell = cell_of(recipe_of(tmp_path), unanswered=(0, 7, 0))
    assert {floor.reason for floor in floors_of(cell)} == {"of 40 test questions b was not asked 7"}
    beside = by_floor(cell, "naive")["by_floor"]["joint"]
    assert beside["difference"] is None
    assert (beside["pgr"]["value"], beside["pgr"]["defined"]) == (None, False)


def test_only_models_that_score_each_others_answers_decide_jointly(tmp_path):
    assert obstacle(recipe_of(tmp_path), (0, 1)) is None
    assert obstacle(recipe_of(tmp_path), (1,)) == "the student has one supervisor"
    people = {"kind": "file", "name": "people", "path": "people.csv"}
    mixed = recipe_of(tmp_path, supervisors=[{"model": str(tmp_path), "name": "a"}, people])
    assert obstacle(mixed, (0, 1)) == "joint decoding needs the weights of every supervisor; people answered elsewhere"
    joint = floors_of(cell_of(mixed))[2]
    assert (joint.name, joint.reason) == ("joint", obstacle(mixed, (0, 1)))
    assert obstacle(recipe_of(tmp_path, ask={"decoding": "generate"}), (0, 1)).startswith("ask.decoding: generate has")

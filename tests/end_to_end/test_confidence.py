"""A run whose students are asked questions from outside the training distribution, read by softmax and by evidence."""

import importlib.util
import json
from pathlib import Path

import pytest

from outgrow.core.errors import ConfigError
from outgrow.experiment.dry import plan
from outgrow.experiment.out_of_distribution import shifted_questions
from outgrow.experiment.step_runner import StepRunner
from outgrow.experiment.steps import Counter
from outgrow.recipe.recipe import parse_recipe
from outgrow.reporting import write_report

_spec = importlib.util.spec_from_file_location("tiny_run", Path(__file__).with_name("tiny_run.py"))
tiny = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny)

QUESTIONS = 12
OTHER = {
    "kind": "table", "name": "other", "path": "other.jsonl", "text": "text", "label": "label",
    "classes": list(tiny.COLOURS), "prompts": ["question : {text} ? answer"],
    "splits": {"pool": 3, "validation": 3, "test": QUESTIONS},
}  # fmt: skip
CHANGES = {
    "methods": [{"name": "naive", "id": "softmax"}, {"name": "naive", "id": "evidence", "objective": "evidential"}],
    "primary": None,
    "train": {"epochs": 1, "batch_size": 8, "learning_rate": 5e-3, "max_length": 64, "checkpoints": 1},
    "ask": {"variants": 1},
    "evaluation": {"out_of_distribution": OTHER},
}


@pytest.fixture(scope="module")
def folder(tiny_lm, tmp_path_factory):
    place = tmp_path_factory.mktemp("confidence")
    tiny.write_data(place)
    tiny.write_models(place, tiny.make_model(tiny_lm))
    lines = [{"text": f"no w{i} yes", "label": tiny.COLOURS[i % 3], "kind": "even"} for i in range(QUESTIONS + 6)]
    (place / "other.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return place


def test_students_of_both_readings_stand_side_by_side(folder):
    done = tiny.run(folder, folder / "store", folder / "out", **CHANGES)
    (cell,) = done.results["cells"]
    softmax, evidence = cell["arms"]
    assert (softmax["confidence"]["reading"], evidence["confidence"]["reading"]) == ("softmax", "dirichlet_exp")
    assert softmax["confidence"]["vacuity"] is None
    assert 0 < evidence["confidence"]["vacuity"]["value"] < 1
    for arm in (softmax, evidence):
        assert 1 / 3 <= arm["confidence"]["mean"]["value"] <= 1
        assert [seed["seed"] for seed in arm["confidence"]["seeds"]] == [0, 1]
        other = arm["out_of_distribution"]
        assert other["questions"] == QUESTIONS
        assert all(round(value * QUESTIONS, 9).is_integer() for value in other["accuracy"]["per_seed"])
        assert 0 <= other["auroc"]["value"] <= 1
        assert (other["auroc_vacuity"] is None) == (arm is softmax)
    report = write_report(done.folder)
    page = report.html.read_text()
    for words in ("Confidence of the students", "dirichlet_", "Out of distribution", "AUROC, vacuity"):
        assert words in page


def test_the_further_questions_are_planned(folder):
    with_them, without = (
        {job.name: job.prompts for job in plan(parse_recipe(tiny.recipe(folder, **changes)))}
        for changes in (CHANGES, {**CHANGES, "evaluation": {}})
    )
    assert with_them["softmax"] - without["softmax"] == with_them["evidence"] - without["evidence"] == QUESTIONS
    assert with_them["weak"] == without["weak"]


def test_other_classes_are_refused(folder):
    other = {**OTHER, "classes": [*tiny.COLOURS, "yes"]}
    recipe = tiny.recipe(folder, **{**CHANGES, "evaluation": {"out_of_distribution": other}})
    with pytest.raises(ConfigError, match=r"has the classes \('red', 'green', 'blue', 'yes'\), and students learn"):
        plan(parse_recipe(recipe))


def test_questions_of_the_recipe_itself_are_left_out(folder):
    """Eighteen new questions among 180 that the recipe deals out (all but a few are in its splits)."""
    lines = [(folder / name).read_text() for name in ("words.jsonl", "other.jsonl")]
    (folder / "mixed.jsonl").write_text("".join(lines))
    mixed = {**tiny.recipe(folder)["task"], "path": "mixed.jsonl", "splits": {"pool": 1, "validation": 1, "test": 190}}
    recipe = parse_recipe(tiny.recipe(folder, **{**CHANGES, "evaluation": {"out_of_distribution": mixed}}))
    runner = StepRunner(recipe, Counter())
    shifted = shifted_questions(runner)
    kept = set(shifted.table("examples", "test")["example_id"].to_pylist())
    own = {i for split in runner.task.splits for i in runner.examples(split)["example_id"].to_pylist()}
    everything = set(shifted.task.examples("test")["example_id"].to_pylist())
    assert kept == everything - own
    assert 0 < len(kept) < 60
    assert set(shifted.table("gold", "test")["example_id"].to_pylist()) == kept
    own = tiny.recipe(folder)["task"]
    recipe = tiny.recipe(folder, **{**CHANGES, "evaluation": {"out_of_distribution": own}})
    with pytest.raises(ConfigError, match="all test questions of task 'colours' are the recipe's own"):
        plan(parse_recipe(recipe))

"""Slots from files to results: metrics that judge the texts of answers, and gold in the file's order."""

import importlib.util
import json
from pathlib import Path

import pytest

from outgrow.core.tables import iter_examples
from outgrow.recipe.recipe import parse_recipe
from outgrow.reporting import write_report

_spec = importlib.util.spec_from_file_location("tiny_run", Path(__file__).with_name("tiny_run.py"))
tiny = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny)

TEN, NINE = ({"type": "time", "filler": filler} for filler in ("ten", "nine"))


def settings(folder):
    task = {"kind": "slurp", "target": "slots", "path": str(folder), "max_new_tokens": 4}
    return tiny.recipe(
        folder, task=task, supervisors=[{"kind": "file", "path": "answers.jsonl"}], methods=["naive", "strong_ceiling"],
        ask={"variants": 1}, seeds=[0], primary=None, evaluation={"metrics": ["slu_f1", "slot_f1", "slot_exact_match"]},
        train={"epochs": 1, "batch_size": 8, "max_length": 64, "checkpoints": 1},
    )  # fmt: skip


@pytest.fixture(scope="module")
def cell(tiny_lm, tmp_path_factory):
    """Ten commands of the test: each wants ten, nine and ten again; half of the supervisor's answers say it."""
    folder = tmp_path_factory.mktemp("slots")
    tiny.write_models(folder, tiny.make_model(tiny_lm))
    for name, n in (("devel", 15), ("test", 10)):
        rows = [
            {"sentence": f"w{i} {name}", "scenario": "alarm", "action": "set", "slots": [TEN, NINE, TEN]}
            for i in range(n)
        ]
        (folder / f"slurp_{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    recipe = settings(folder)
    task = parse_recipe(recipe).build_task()
    lines = []
    for split in ("pool", "validation", "test"):
        for i, example in enumerate(iter_examples(task.examples(split))):
            text = json.dumps([TEN, NINE, TEN] if i % 2 else [NINE, TEN])
            lines.append({"example_id": example.example_id, "value": text, "text": f"So: {text}"})
    (folder / "answers.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    done = tiny.run(folder, folder / "store", folder / "out", **recipe)
    return done.only, write_report(done.folder).html.read_text(encoding="utf-8")


def test_repeats_count_for_metrics_of_slots_and_not_for_accuracy(cell):
    results, page = cell
    floor = {metric["name"]: metric["floor"]["value"] for metric in results["metrics"]}
    assert results["supervisor"]["floor"]["value"] == 1.0
    assert floor["slot_exact_match"] == 0.5
    # of six slots in two commands five are named, all rightly
    assert floor["slot_f1"] == pytest.approx(2 * 5 / (6 + 5))
    assert floor["slu_f1"] == pytest.approx(20 / (20 + 2))
    (times,) = results["slot_types"]
    assert (times["type"], times["gold"], times["f1"]["floor"]) == ("time", 30, pytest.approx(10 / 11))
    assert "F1 by type of slot" in page


def test_a_student_that_says_no_slots_has_none(cell):
    metrics = {metric["name"]: metric["arms"]["naive"] for metric in cell[0]["metrics"]}
    assert metrics["slu_f1"]["value"] == 0.0
    assert metrics["slu_f1"]["pgr"]["reason"].startswith("the ceiling is not clearly above the floor")

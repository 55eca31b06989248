"""Experiments whose labels come from several annotators: a file of people's answers, and several models."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from outgrow.core.errors import ConfigError
from outgrow.core.hashing import sha256_text
from outgrow.core.tables import iter_examples
from outgrow.recipe.recipe import parse_recipe
from outgrow.reporting import write_report

_spec = importlib.util.spec_from_file_location("tiny_run", Path(__file__).with_name("tiny_run.py"))
tiny = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny)

SHORT = {"epochs": 6, "batch_size": 8, "learning_rate": 5e-3, "max_length": 64, "checkpoints": 1}
METHODS = [
    {"name": "majority_vote", "estimator": "dawid_skene"},
    {"name": "uncertainty_filtering", "keep": 0.5},
    {"name": "crowd_layer", "rate": 0.1},
    {"name": "conal", "items": 4},
    {"name": "madl", "items": 4},
    "strong_ceiling",
]


@pytest.fixture(scope="module")
def here(tiny_lm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("crowds")
    tiny.write_data(folder)
    tiny.write_models(folder, tiny.make_model(tiny_lm))
    return folder


def settings(**changes):
    task = {**tiny.recipe(Path())["task"], "splits": {"supervisor_train": 10, "pool": 60, "validation": 20, "test": 48}}
    people = {"kind": "file", "path": "people.csv", "apart": True}
    return {
        "task": task, "supervisors": [people], "train": SHORT, "methods": METHODS, "primary": None, "seeds": [0],
        "ask": {"variants": 1}, **changes,
    }  # fmt: skip


def write_people(folder, splits, changes):
    """Three who are right nine times of ten, and one who is wrong nine times of ten, in one way."""
    task = parse_recipe(tiny.recipe(folder, **changes)).build_task()
    lines = ["task,worker,label"]
    for split in splits:
        for example in iter_examples(task.examples(split)):
            truth = int(example.question.split()[0][1:]) % 3
            for who in ("ann", "bob", "cid", "turned"):
                slip = int(sha256_text(who, example.question)[:8], 16) % 10 == 0
                lines.append(f"{example.example_id},{who},{tiny.COLOURS[(truth + (slip != (who == 'turned'))) % 3]}")
    (folder / "people.csv").write_text("\n".join(lines) + "\n")


@pytest.fixture(scope="module")
def made(here, tmp_path_factory):
    out = tmp_path_factory.mktemp("crowd")
    write_people(here, ("pool", "validation", "test"), settings())
    return tiny.run(here, out / "store", out / "out", **settings())


def test_people_in_a_file_are_annotators_of_every_arm(made):
    arms = {arm["name"]: arm for arm in made.only["arms"]}
    accuracy = {name: arm["accuracy"]["value"] for name, arm in arms.items()}
    assert accuracy["majority_vote"] > 0.9
    assert accuracy["uncertainty_filtering"] > 0.6
    assert arms["majority_vote"]["rows"] == [60]
    assert [arms[name]["rows"] for name in ("crowd_layer", "conal", "madl")] == [[240]] * 3
    assert {tuple(arm["steps"]) for arm in arms.values()} == {(48,)}
    for name in ("crowd_layer", "conal", "madl"):  # the turned one counts for what he tells
        assert accuracy[name] > 0.75, name


def test_the_floor_is_what_a_model_of_the_annotators_says(made):
    told = made.only["supervisor"]
    assert told["unanswered_test"] == 0
    assert told["floor"]["value"] > 0.9
    page = write_report(made.folder).html.read_text(encoding="utf-8")
    assert "people.csv" in page


def test_whose_errors_come_together_stands_beside_what_is_estimated_without_gold(here, made):
    found = made.only["shared_errors"]
    assert found["annotators"] == ["ann", "bob", "cid", "turned"]
    assert len(found["pairs"]) == len(found["estimates"]) == 6
    pair = next(each for each in found["pairs"] if (each["a"], each["b"]) == ("ann", "turned"))
    examples = list(iter_examples(parse_recipe(tiny.recipe(here, **settings())).build_task().examples("pool")))
    slips = {
        who: np.array([int(sha256_text(who, example.question)[:8], 16) % 10 == 0 for example in examples])
        for who in ("ann", "turned")
    }
    wrong = slips["ann"], ~slips["turned"]
    assert pair["answers"] == 60
    assert pair["correlation"] == pytest.approx(np.corrcoef(*wrong)[0, 1])
    assert pair["both_wrong"] == pytest.approx((wrong[0] & wrong[1]).mean())
    assert pair["same_wrong"] == 1.0  # there is one way to be wrong
    assert found["reason"] is None
    assert 1 <= found["effective_number"] <= 4
    write_report(made.folder)
    assert "Errors of the supervisors" in (made.folder / "report.md").read_text(encoding="utf-8")


def test_several_models_are_annotators_of_an_arm_that_names_an_estimator(here, tmp_path):
    weak = {"train": {"epochs": 2}}
    supervisors = [{"model": str(here / "weak"), **weak}, {"model": str(here / "strong"), **weak}]
    methods = [{"name": "majority_vote", "estimator": "majority"}, "majority_vote", "madl"]
    changes = settings(supervisors=supervisors, methods=methods, ask={"variants": 2})
    done = tiny.run(here, tmp_path / "store", tmp_path / "out", **changes)
    arms = {arm["name"]: arm for arm in done.only["arms"]}
    assert set(arms) == {"majority_vote estimator=majority", "majority_vote", "madl"}
    # both models in both wordings; the first in both; both in the identity's
    assert [arms[name]["asked"] for name in arms] == [[240], [120], [120]]
    assert arms["madl"]["rows"] == [120]
    found = done.only["shared_errors"]
    assert [(each["a"], each["b"]) for each in found["pairs"]] == [("strong", "weak")]
    assert found["estimates"] == []
    assert "need 4 annotators" in found["reason"]


def test_both_can_be_planned_before_anybody_has_counted_the_annotators(here, tmp_path, cli):
    for supervisors in (
        settings()["supervisors"],
        [{"model": str(here / name), "train": None} for name in ("weak", "strong")],
    ):
        recipe = tmp_path / "crowd.yaml"
        methods = [METHODS[0], *METHODS[2:]]  # without the one that goes by repeated answers
        recipe.write_text(json.dumps(tiny.recipe(here, **settings(supervisors=supervisors, methods=methods))))
        done = cli("plan", recipe, "--device", "h100")
        assert done.code == 0, done.err


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"supervisors": [{"kind": "file", "path": "people.csv"}]}, "methods: the 1st .* needs several annotators"),
        (
            {"methods": [{"name": "conal", "estimator": "auto"}]},
            "estimator: has no meaning for conal; .* majority_vote",
        ),
        ({"methods": [{"name": "naive", "estimator": "dawid"}]}, "unknown model of annotators 'dawid'; did you mean"),
        (
            {"supervisors": [{"kind": "file", "path": "people.csv", "apart": True, "together": True}]},
            "supervisors: the 1st .people.csv.: apart: together and apart exclude each other; keep one",
        ),
    ],
)
def test_recipes_that_cannot_be_are_refused_when_they_are_read(here, changes, message):
    with pytest.raises(ConfigError, match=message):
        parse_recipe(tiny.recipe(here, **settings(**changes)))


def test_label_asks_everybody_and_keeps_names(here, tmp_path, cli):
    changes = settings()
    write_people(here, ("pool", "validation", "test"), changes)
    recipe = tmp_path / "people.yaml"
    recipe.write_text(json.dumps(tiny.recipe(here, **changes)))
    done = cli(
        "label", recipe, "--out", tmp_path / "all.csv", "--labels", tmp_path / "labels.csv", "--store", tmp_path / "st"
    )
    assert done.code == 0, done.err
    assert "expected share of right labels" in done.out
    lines = (tmp_path / "all.csv").read_text().splitlines()
    assert len(lines) == 241
    assert {line.split(",")[1] for line in lines[1:]} == {"ann", "bob", "cid", "turned"}
    both = {**changes, "supervisors": [changes["supervisors"][0], {"model": str(here / "weak"), "train": None}]}
    recipe.write_text(json.dumps(tiny.recipe(here, **both)))
    done = cli("label", recipe, "--all", "--out", tmp_path / "all.csv", "--store", tmp_path / "st")
    assert done.code == 0, done.err
    assert "people.csv + weak answered" in done.out
    assert len((tmp_path / "all.csv").read_text().splitlines()) == 301
    refused = cli("label", recipe, "--all", "--supervisor", "weak", "--out", tmp_path / "no.csv")
    assert refused.code == 2
    assert "exclude each other" in refused.err

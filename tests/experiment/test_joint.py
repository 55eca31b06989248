"""Several models that decide together: what they say of options is added up, and of their texts the best is taken."""

import importlib.util
import math
from collections import Counter
from pathlib import Path

import pytest

from outgrow.core.errors import ConfigError
from outgrow.core.lab import ONCE, How
from outgrow.experiment.dry import count_jobs, counted_steps, plan
from outgrow.experiment.progress import states
from outgrow.experiment.step_runner import StepRunner
from outgrow.recipe.recipe import parse_recipe
from outgrow.reporting import write_report
from outgrow.reporting.terminal import summary_text
from outgrow.store import Store

_spec = importlib.util.spec_from_file_location("tiny_run", Path(__file__).parents[1] / "end_to_end" / "tiny_run.py")
tiny = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, tiny_lm):
    folder = tmp_path_factory.mktemp("joint")
    tiny.write_data(folder)
    tiny.write_models(folder, tiny.make_model(tiny_lm))
    return folder


def two(folder, **changes):
    supervisors = [{"model": str(folder / name), "name": name, "train": {"epochs": 2}} for name in ("weak", "strong")]
    return parse_recipe(tiny.recipe(folder, supervisors=supervisors, primary=None, **changes))


def shares(answers):
    return {row["example_id"]: dict(row["probabilities"]) for row in answers.to_pylist()}


def test_options_are_scored_by_the_weighted_mean_of_log_probabilities(folder, monkeypatch, tmp_path):
    def action(lab):
        parts = [shares(lab.ask(source, lab.validation, ONCE)) for source in lab.supervisors]
        alike = lab.joint(lab.supervisors, stage="alike")
        heavy = lab.joint(lab.supervisors, weights=(3, 1), stage="heavy")
        answers = [lab.ask(each, lab.validation, ONCE) for each in (alike, heavy)]
        with pytest.raises(ConfigError, match="decides on one answer a wording; ask it with samples=1"):
            lab.ask(alike, lab.validation, How(variants=1, samples=2, temperature=1.0))
        for sources, weights in ((lab.supervisors[:1], None), (lab.supervisors, (1,)), (lab.supervisors, (0, 0))):
            with pytest.raises(ConfigError, match="a joint source needs at least two models and a weight"):
                lab.joint(sources, weights=weights)
        with pytest.raises(ConfigError, match="it can only be asked"):
            lab.joint((alike, lab.student))
        return parts, answers

    ((weak, strong), tables), _ = tiny.within(two(folder), monkeypatch, tmp_path, action)
    for (a, b), answers in zip(((0.5, 0.5), (0.75, 0.25)), tables, strict=True):
        for row in answers.to_pylist():
            example, found = row["example_id"], dict(row["probabilities"])
            logs = {v: a * math.log(weak[example][v]) + b * math.log(strong[example][v]) for v in found}
            total = math.log(sum(map(math.exp, logs.values())))
            assert {v: math.log(p) for v, p in found.items()} == pytest.approx({v: x - total for v, x in logs.items()})
            assert row["value"] == max(logs, key=logs.get)


def test_of_texts_the_one_that_all_find_most_probable_is_taken(folder, monkeypatch, tmp_path):
    def action(lab):
        written = [lab.ask(source, lab.validation, ONCE).to_pylist() for source in lab.supervisors]
        chosen = lab.ask(lab.joint(lab.supervisors), lab.validation, ONCE).to_pylist()
        scores = []
        for source in lab.supervisors:
            for rows in written:
                texts = lab.score(source, [row["prompt"] for row in rows], [row["text"] for row in rows]).to_pylist()
                scores.append([each["logprob"] / each["n_tokens"] for each in texts])
        return written, chosen, scores

    questions = {"supervisor_train": 64, "pool": 8, "validation": 24, "test": 8}
    task = {"kind": "microworld", "family": "sums", "questions": questions}
    models = [{"model": f"microworld/{name}", "train": {"epochs": 6, "max_length": 128}} for name in ("mini", "base")]
    changes = {"task": task, "supervisors": models, "ask": {"variants": 1}, "methods": ["naive"], "seeds": [0]}
    recipe = parse_recipe(tiny.recipe(folder, primary=None, **changes))
    (written, chosen, scores), _ = tiny.within(recipe, monkeypatch, tmp_path, action)
    mean = [[(a + b) / 2 for a, b in zip(scores[k], scores[2 + k], strict=True)] for k in range(2)]
    place = {row["example_id"]: i for i, row in enumerate(written[0])}
    picked = Counter()
    for row in chosen:
        i = place[row["example_id"]]
        pair = [written[k][i] for k in range(2)]
        able = [k for k in range(2) if pair[k]["value"] is not None] or [0, 1]
        best = max(able, key=lambda k: mean[k][i])
        picked[able == [0, 1], best] += 1
        assert row["text"] == pair[best]["text"]
        assert row["logprob"] == pytest.approx(mean[best][i])
    assert len(picked) >= 2  # not always the same one


@pytest.fixture(scope="module")
def made(folder, tmp_path_factory):
    """A recipe of two supervisors, its store and its results."""
    out = tmp_path_factory.mktemp("made")
    changes = {
        "methods": ["joint_decoding", {"name": "joint_decoding", "labels": "soft", "weights": [2, 1], "id": "soft"}],
        "supervisors": two(folder).resolved()["supervisors"], "seeds": [0], "primary": None,
    }  # fmt: skip
    done = tiny.run(folder, out / "store", out / "out", **changes)
    return parse_recipe(tiny.recipe(folder, **changes)), Store(out / "store", unsealed=True), done


def test_students_learn_what_all_supervisors_choose(made):
    arms = {arm["name"]: arm for arm in made[2].only["arms"]}
    assert [arms[name]["rows"] for name in ("joint_decoding", "soft")] == [[40], [40]]
    for name in arms:
        assert arms[name]["accuracy"]["value"] > 0.4


def test_floors_are_what_the_supervisors_answer_to_the_test_alone_and_together(made):
    recipe, store, done = made
    runner = StepRunner(recipe, store)
    gold = {row["example_id"]: row["value"] for row in runner.gold("test").to_pylist()}
    parts = [
        shares(runner.answer(runner.tune_supervisor(place, 0), "test", seed=0, full=False, shown=True))
        for place in (0, 1)
    ]

    def right(score):
        chosen = {i: max(parts[0][i], key=lambda value, i=i: score(i, value)) for i in gold}
        return [chosen[i] == gold[i] for i in gold]

    alone = [right(lambda i, value, part=part: part[i][value]) for part in parts]
    weak, strong = (sum(each) / len(gold) for each in alone)
    joint = right(lambda i, value: math.log(parts[0][i][value]) + math.log(parts[1][i][value]))
    expected = {"mean": (weak + strong) / 2, "best": max(weak, strong), "joint": sum(joint) / len(gold)}
    told = done.only["supervisor"]
    assert [(each["name"], each["tuned_on"]) for each in told["members"]] == [("weak", 30), ("strong", 30)]
    assert [each["accuracy"]["value"] for each in told["members"]] == pytest.approx([weak, strong])
    floors = {floor["name"]: floor["accuracy"]["value"] for floor in told["floors"]}
    assert weak != strong
    assert {name: floors[name] for name in expected} == pytest.approx(expected)
    both, either = (sum(map(least, zip(*alone, strict=True))) / len(gold) for least in (all, any))
    assert both <= floors["majority"] <= either  # where two disagree, it is one of theirs
    assert told["floor"]["value"] == pytest.approx(expected["mean"])
    assert set(done.only["arms"][0]["by_floor"]) == {"mean", "best", "joint", "majority"}


def test_the_joint_answers_are_counted_planned_and_looked_up_as_a_job(made):
    recipe, store, _ = made
    sizes = {job.name: job for job in plan(recipe)}
    assert sizes["supervisors together"].prompts == 2 * 48  # the test in the identity wording alone, of either
    counted = {
        (step.request.step.name, step.request.what) for _, steps in counted_steps(count_jobs(recipe)) for step in steps
    }
    assert ("joint answer", "supervisors together answers test") in counted
    found = {state.job.label: state.missing for state in states(recipe, store)}
    assert found["seed 0: supervisors together"] is None
    assert set(found.values()) == {None}


def test_the_report_says_which_floor_is_which(made):
    pages = write_report(made[2].folder)
    text = pages.markdown.read_text(encoding="utf-8")
    assert text.splitlines()[2].startswith("weak and strong teach ")
    for heading in ("### Supervisors and floors", "### PGR by floor", "### Accuracy minus floor"):
        assert heading in text
    assert "PGR takes the mean of the supervisors' accuracies as floor" in text
    assert "The floor, the mean accuracy of the 2 supervisors, is" in text
    told = summary_text(made[2].results)
    assert all(f"supervisors, {name}" in told for name in ("mean (floor)", "best", "joint", "majority"))

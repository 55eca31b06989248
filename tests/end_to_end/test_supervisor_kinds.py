"""Experiments whose supervisor is a server or a file: the same table, no host in it, no floor invented."""

import importlib.util
import json
import math
import re
from pathlib import Path

import pytest

from outgrow.core.hashing import sha256_text
from outgrow.core.tables import iter_examples
from outgrow.execution.run import run_recipe
from outgrow.recipe.recipe import parse_recipe
from outgrow.reporting import run_checks, write_report

HERE = Path(__file__).parent


def _load(path):
    spec = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


tiny = _load(HERE / "tiny_run.py")

SHORT = {"epochs": 1, "batch_size": 8, "learning_rate": 5e-3, "max_length": 64, "checkpoints": 1}
METHODS = ["naive", "calibrated_filtering", "calibrated_reweighting", "strong_ceiling"]


@pytest.fixture(scope="module")
def here(tiny_lm, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kinds")
    tiny.write_data(folder)
    tiny.write_models(folder, tiny.make_model(tiny_lm))
    return folder


@pytest.fixture
def fake(monkeypatch):
    monkeypatch.syspath_prepend(str(HERE.parent / "supervisors" / "server"))
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    from fake_server import FakeServer

    servers = []

    def start(script):
        servers.append(FakeServer(script))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


def settings(**changes):
    task = {**tiny.recipe(Path())["task"]}
    task["splits"] = {"supervisor_train": 10, "pool": 40, "validation": 10, "test": 48, "known": 40}
    return {"task": task, "train": SHORT, "methods": METHODS, "primary": None, "seeds": [0], **changes}


def colour_of(text, *salt):
    """What the weak supervisor says: the right colour three times of four, by hash."""
    first = next(int(word[1:]) for word in text.split() if word.startswith("w") and word[1:].isdigit())
    wrong = int(sha256_text("err", text, *salt)[:8], 16) % 4 == 0
    return tiny.COLOURS[(first + wrong) % 3]


# A server -----------------------------------------------------------------------------------------------------------


def test_a_server_supervises_an_experiment_and_is_paid_once(here, fake, tmp_path):
    from fake_server import chat

    server = fake(lambda asked: chat(colour_of(asked.text)))
    supervisor = {"kind": "server", "model": "weak-1", "base_url": server.url, "prompt_price": 1.0}
    first = tiny.run(here, tmp_path / "store", tmp_path / "out", **settings(supervisors=[supervisor]))
    told = first.only["supervisor"]
    assert (told["kind"], told["model"], told["unanswered_test"]) == ("server", "weak-1", 0)
    assert 0.6 < told["floor"]["value"] < 0.9
    assert "127.0.0.1" not in (tmp_path / "out" / "results.json").read_text()
    provenance = json.loads((tmp_path / "out" / "provenance.json").read_text())
    asked = {used["about"]: used for used in provenance["usage"]}
    # 40 pool questions and 40 known ones in three wordings, validation in one
    assert asked["weak-1 answers pool"]["requests"] == asked["weak-1 answers known"]["requests"] == 120
    assert asked["weak-1 answers validation"]["requests"] == 10
    assert asked["weak-1 answers pool"]["cost"] == pytest.approx(120 * 10 / 1e6)  # ten prompt tokens each
    sent = len(server.asked)
    again = tiny.run(here, tmp_path / "store", tmp_path / "again", **settings(supervisors=[supervisor]))
    assert len(server.asked) == sent
    assert (again.folder / "results.json").read_bytes() == (first.folder / "results.json").read_bytes()
    page = write_report(first.folder).html.read_text(encoding="utf-8")
    assert "Answers from servers" in page
    known = {arm["name"]: arm["known"] for arm in first.only["arms"]}
    assert known == {
        "naive": [0], "calibrated_filtering": [40], "calibrated_reweighting": [40], "strong_ceiling": [0]
    }  # fmt: skip
    assert "Gold bought" in page


def test_paraphrases_of_another_model_are_asked_and_marked(here, fake, tmp_path):
    from fake_server import chat

    def script(asked):
        if "in other words" not in asked.text:
            return chat(colour_of(asked.text))
        question = asked.text.split("Question: ")[1].split("\nNew question:")[0]
        return chat(f"please , {question} please")

    server = fake(script)
    place = {"kind": "server", "base_url": server.url}
    ask = {"variants": 3, "kinds": ["paraphrase", "task"], "paraphraser": {**place, "model": "giant"}}
    changes = settings(
        supervisors=[{**place, "model": "weak-1", "reply_model": "any"}], methods=["naive", "all_answers"]
    )
    ask["paraphraser"]["reply_model"] = "any"
    made = tiny.run(here, tmp_path / "store", tmp_path / "out", **changes, ask=ask)
    reworded = {a.text for a in server.asked if "please ," in a.text and "in other words" not in a.text}
    assert len(reworded) == 40 + 48 + 40  # pool, test and known, each once
    check = next(c for c in run_checks(made.results) if c.code == "W2S010")
    assert check.severity == "note"
    assert "written by giant" in check.finding
    assert made.only["supervisor"]["missing_share"] == pytest.approx(0.0)


# A file -------------------------------------------------------------------------------------------------------------


def write_answers(folder, splits, changes):
    """Three answers to each question of `splits`; two of three are the first one's."""
    task = parse_recipe(tiny.recipe(folder, **changes)).build_task()
    rows = []
    for split in splits:
        for example in iter_examples(task.examples(split)):
            said = [colour_of(example.question), colour_of(example.question), colour_of(example.question, "other")]
            rows += [{"task": example.example_id, "worker": w, "label": v} for w, v in zip("abc", said, strict=True)]
    (folder / "said.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


def test_a_file_without_test_answers_gives_a_student_but_no_floor(here, tmp_path):
    changes = settings(supervisors=[{"kind": "file", "path": "said.jsonl", "name": "crowd", "together": True}])
    write_answers(here, ("pool", "known"), changes)
    made = tiny.run(here, tmp_path / "store", tmp_path / "out", **changes)
    told = made.only["supervisor"]
    assert (told["kind"], told["model"], told["unanswered_test"]) == ("file", "answers in said.jsonl", 48)
    assert told["floor"]["value"] is None
    arms = {arm["name"]: arm for arm in made.only["arms"]}
    assert arms["naive"]["pgr"]["defined"] is False
    assert arms["naive"]["pgr"]["reason"] == "the supervisor was not asked 48 of 48 test questions"
    assert arms["naive"]["asked"] == [40]
    assert arms["calibrated_filtering"]["rows"] == [20]
    assert not math.isnan(arms["naive"]["accuracy"]["value"])
    assert str(tmp_path) not in (tmp_path / "out" / "results.json").read_text()
    page = write_report(made.folder).html.read_text(encoding="utf-8")
    assert re.search(r"\bnan\b", page.split("<script")[0], re.IGNORECASE) is None


def test_a_file_with_test_answers_has_a_floor(here, tmp_path):
    changes = settings(
        supervisors=[{"kind": "file", "path": "said.jsonl", "together": True}], methods=["naive", "strong_ceiling"]
    )
    write_answers(here, ("pool", "known", "test", "validation"), changes)
    made = tiny.run(here, tmp_path / "store", tmp_path / "out", **changes)
    told = made.only["supervisor"]
    assert told["unanswered_test"] == 0
    assert 0.6 < told["floor"]["value"] < 0.9


def test_a_supervisor_that_can_only_be_asked_is_not_exported(here, tmp_path, cli):
    changes = settings(supervisors=[{"kind": "file", "path": "said.jsonl", "together": True}], methods=["naive"])
    write_answers(here, ("pool",), changes)
    made = tiny.run(here, tmp_path / "store", tmp_path / "out", **changes)
    done = cli("export", made.folder, "--arm", "said.jsonl", "--store", tmp_path / "store", "--out", tmp_path / "m")
    assert done.code == 2
    assert "unknown arm 'said.jsonl'" in done.err
    assert "naive" in done.err


# Accuracy without gold ----------------------------------------------------------------------------------------------


def test_decoys_estimate_the_accuracy_of_labels_in_a_run(tmp_path):
    """The shipped model `mini` as it is: right about every third time among four options."""
    raw = {
        "name": "decoys",
        "task": {
            "kind": "microworld", "mix": "ignorance",
            "questions": {"supervisor_train": 20, "pool": 160, "validation": 10, "test": 20},
        },
        "supervisors": [{"model": "microworld/mini", "train": None}],
        "ask": {"variants": 2},
        "reliability": {"decoys": 120},
        "student": {"model": "microworld/mini"},
        "train": SHORT,
        "methods": ["naive"],
        "seeds": [0],
    }  # fmt: skip
    made = run_recipe(parse_recipe(raw), store=tmp_path / "store", out=tmp_path / "out", jobs=1)
    found = made.only["reliability"]["label_free"]
    assert (found["method"], found["reason"]) == ("decoys", None)
    (one,) = found["seeds"]
    assert one["low"] <= one["estimate"] <= one["high"]
    assert abs(one["estimate"] - one["truth"]) < 0.35
    assert "no decoy is right" in found["assumptions"]
    page = write_report(made.folder).html.read_text(encoding="utf-8")
    assert "by decoy options; the truth is" in page

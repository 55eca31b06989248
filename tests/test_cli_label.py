"""The verb `label`, and answers of crowds on the command line."""

import csv
import json

import pytest

TASK = {"kind": "table", "path": "data.csv", "text": "q", "id": "n", "classes": ["x", "y"]}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.csv").write_text('n,q\nr1,"first\nin two lines"\nr2,second\nr3,third\n')
    (tmp_path / "said.csv").write_text("task,worker,label\nr1,ann,x\nr1,bob,x\nr1,cyd,y\nr2,ann,y\nr2,bob,y\nr3,ann,\n")
    recipe = {"task": TASK, "supervisors": [{"kind": "file", "path": "said.csv", "together": True}], "data_dir": "."}
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    return tmp_path


def test_label_writes_answers_and_labels_and_says_what_came_out(cli, folder):
    done = cli("label", "recipe.yaml", "--out", "answers.jsonl", "--labels", "labels.csv")
    assert done.code == 0, done.err
    assert "said.csv answered the questions of split 'pool'" in done.out + done.err
    assert "3 questions, 6 answers, 1 invalid (16.7%)" in done.out + done.err
    answers = [json.loads(line) for line in (folder / "answers.jsonl").read_text().splitlines()]
    assert [(a["example_id"], a["source"], a["value"]) for a in answers] == [
        ("r1", "said.csv", "x"), ("r1", "said.csv", "x"), ("r1", "said.csv", "y"),
        ("r2", "said.csv", "y"), ("r2", "said.csv", "y"), ("r3", "said.csv", None),
    ]  # fmt: skip
    with (folder / "labels.csv").open(newline="") as file:
        labels = {row["example_id"]: row for row in csv.DictReader(file)}
    assert {i: row["value"] for i, row in labels.items()} == {"r1": "x", "r2": "y", "r3": ""}
    assert float(labels["r1"]["vote_share"]) == pytest.approx(2 / 3)


def test_overrides_choose_whom_to_ask(cli, folder):
    done = cli("label", "recipe.yaml", "supervisors=[{kind: file, path: said.csv, source: bob}]", "--out", "a.csv")
    assert done.code == 0, done.err
    assert "2 questions, 2 answers, 0 invalid" in done.out + done.err


def test_mistakes_are_told_before_anything_is_written(cli, folder):
    for arguments, message in (
        (["recipe.yaml", "--out", "a.txt"], "the format cannot be told from the suffix '.txt'"),
        (["recipe.yaml", "--out", "a.csv", "--split", "test"], "unknown split 'test'"),
        (["recipe.yaml", "--out", "a.csv", "supervisors=[{kind: fil, path: a}]"], "did you mean 'file'?"),
    ):
        done = cli("label", *arguments)
        assert done.code == 2
        assert message in done.out + done.err
    assert not list(folder.glob("a.*"))


def test_a_crowds_file_is_read_by_the_verbs_on_labels(cli, folder):
    refused = cli("reliability", "said.csv", "--out", "l.csv")
    assert refused.code == 2
    assert "--together" in refused.err
    done = cli("reliability", "said.csv", "--together", "--out", "l.csv")
    assert done.code == 0, done.err
    assert "3 questions, 6 answers, 1 invalid" in done.out + done.err
    kept = cli("curate", "said.csv", "--together", "--method", "majority_vote", "--out", "t.jsonl")
    assert kept.code == 0, kept.err
    rows = [json.loads(line) for line in (folder / "t.jsonl").read_text().splitlines()]
    assert [(row["example_id"], row["target"]) for row in rows] == [("r1", "x"), ("r2", "y")]

"""The verb `label`, and answers of crowds on the command line."""

import csv
import json

import numpy as np
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


def test_nothing_that_is_read_is_written_over(cli, folder):
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    for arguments, message in (
        (["--out", "said.csv"], "--out said.csv is the input itself"),
        (["--out", "a.csv", "--labels", "data.csv"], "data.csv is the input itself"),
        (["--out", "a.csv", "--labels", "a.csv"], "--out and --labels are both a.csv"),
    ):
        done = cli("label", "recipe.yaml", *arguments)
        assert done.code == 2
        assert message in done.err
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_crowds_file_is_read_by_the_verbs_on_labels(cli, folder):
    apart = cli("reliability", "said.csv", "--out", "l.csv")
    assert apart.code == 0, apart.err
    assert "reliability is P(correct) by RobustDawidSkene" in apart.out
    done = cli("reliability", "said.csv", "--together", "--out", "l.csv")
    assert done.code == 0, done.err
    assert "3 questions, 6 answers, 1 invalid" in done.out + done.err
    kept = cli("curate", "said.csv", "--together", "--method", "majority_vote", "--out", "t.jsonl")
    assert kept.code == 0, kept.err
    rows = [json.loads(line) for line in (folder / "t.jsonl").read_text().splitlines()]
    assert [(row["example_id"], row["target"]) for row in rows] == [("r1", "x"), ("r2", "y")]


# Known gold on the command line -------------------------------------------------------------------------------------


@pytest.fixture
def voted(tmp_path, monkeypatch):
    """Forty questions: unanimous ones are right 19 times of 20, those that agree 3 to 2 are right 8 times of 20."""
    monkeypatch.chdir(tmp_path)
    lines, gold = ["example_id,value"], ["example_id,value"]
    for i in range(40):
        votes = "xxxxx" if i < 20 else "xxxyy"
        lines += [f"q{i},{vote}" for vote in votes]
        gold.append(f"q{i},{'x' if i < 19 or 20 <= i < 28 else 'y'}")
    (tmp_path / "answers.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "gold.csv").write_text("\n".join(gold) + "\n")
    return tmp_path


def test_known_gold_turns_reliability_into_p_correct(cli, voted):
    done = cli("reliability", "answers.csv", "--known", "gold.csv", "--out", "labels.csv")
    assert done.code == 0, done.err
    assert "reliability is P(correct), learnt from 40 known gold labels (platt)" in done.out
    with (voted / "labels.csv").open(newline="") as file:
        found = {row["example_id"]: float(row["reliability"]) for row in csv.DictReader(file)}
    agreed, split = (sum(found[f"q{i}"] for i in span) / 20 for span in (range(20), range(20, 40)))
    assert agreed == pytest.approx(19 / 20, abs=0.12)
    assert split == pytest.approx(8 / 20, abs=0.12)


def test_votes_alone_say_about_how_many_labels_are_right(cli, voted):
    refused = cli("reliability", "answers.csv", "--options", "4", "--out", "labels.csv")
    assert refused.code == 0, refused.err  # the labels themselves need no such estimate
    assert "warning: the accuracy cannot be told from these votes: they are all answers to one wording" in refused.out
    assert (voted / "labels.csv").exists()
    chance, lines = np.random.default_rng(0), ["example_id,variant,value"]
    for i in range(300):  # six in ten questions are known, the others guessed
        p = chance.dirichlet([9.7 if i % 10 < 6 else 0.7, 0.7, 0.7, 0.7])
        lines += [f"q{i},{k},{v}" for k, v in enumerate(chance.choice([*"xyzw"], size=5, p=p))]
    (voted / "answers.csv").write_text("\n".join(lines) + "\n")
    done = cli("reliability", "answers.csv", "--options", "4", "--out", "labels.csv")
    assert done.code == 0, done.err
    assert "of the labels are right [" in done.out
    assert "this assumes: Each question is either known to the source or guessed." in done.out


@pytest.mark.parametrize(
    ("gold", "message"),
    [
        ("example_id,value\nq1,x\nq1,y\n", "question 'q1' has two values, 'x' and 'y'"),
        ("example_id,value\nr1,x\n", "gold values and 0 known labels"),
        ("example_id,worth\nq1,x\n", "missing columns ['value']"),
    ],
)
def test_gold_that_does_not_fit_is_told_and_nothing_is_written(cli, voted, gold, message):
    (voted / "gold.csv").write_text(gold)
    done = cli("reliability", "answers.csv", "--known", "gold.csv", "--out", "labels.csv")
    assert done.code == 2
    assert message in done.err
    assert not (voted / "labels.csv").exists()


def test_questions_with_fewer_answers_than_others_are_counted(cli, folder):
    done = cli("label", "recipe.yaml", "--out", "answers.jsonl")
    assert "note: 2 of 3 questions have fewer than 3 answers" in done.out + done.err


def test_a_dry_run_looks_for_the_file_of_answers_and_says_where_files_are_looked_up(cli, folder):
    student = ["student={model: microworld/nano}", "methods=[naive]"]
    done = cli("run", "--dry", "recipe.yaml", "supervisors=[{kind: file, path: none.csv}]", *student)
    assert done.code == 2
    assert "no such file: none.csv, which supervisor 'none.csv' reads, is not in data_dir ('.') nor the" in done.err
    done = cli("label", "recipe.yaml", "data_dir=elsewhere", "task.path=date.csv", "--out", "a.csv")
    assert done.err == (
        "error: no such file: date.csv, which the task reads, is not in data_dir ('elsewhere') nor the recipe's own "
        "folder ('.'); did you mean 'data.csv'?\n"
    )


def test_tables_beside_the_recipe_are_found_and_those_in_data_dir_come_first(cli, folder, monkeypatch):
    (folder / "there").mkdir()
    for name in ("recipe.yaml", "data.csv", "said.csv"):
        (folder / name).rename(folder / "there" / name)
    (folder / "data").mkdir()
    done = cli("label", "there/recipe.yaml", "data_dir=data", "--out", "a.jsonl")
    assert done.code == 0, done.err
    assert "3 questions, 6 answers" in done.out
    (folder / "data" / "said.csv").write_text("task,worker,label\nr1,ann,y\n")
    assert "1 questions, 1 answers" in cli("label", "there/recipe.yaml", "data_dir=data", "--out", "a.jsonl").out
    done = cli("label", "there/recipe.yaml", "data_dir=data", "--out", "there/data.csv")
    assert "there/data.csv is the input itself" in done.err

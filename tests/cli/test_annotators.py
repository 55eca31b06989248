"""The verb `annotators`, and a crowd's file as it comes: dirty, with bad annotators, in three commands."""

import csv
import json

import numpy as np
import pytest

from outgrow.studies.crowds import Crowd, simulate

TEAMS = {"a": "billing", "b": "technical", "c": "sales", "d": "returns"}


@pytest.fixture(scope="module")
def planted():
    return simulate(Crowd(tasks=900, annotators=10, copies=(("a03", 0.95),), spammers=1, adversaries=1), 0)


@pytest.fixture
def folder(planted, tmp_path, monkeypatch):
    """A semicolon file with labels written in many ways, repeats and empty-like labels."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    rows = []
    for row in planted.answers.to_pylist():
        label = TEAMS[row["value"]]
        ways = [label] * 16 + [label.capitalize(), label + " ", label.upper(), "N/A"]
        cells = [row["example_id"], row["source"], ways[rng.integers(20)]]
        rows += [cells] * (1 if rng.random() < 0.97 else 3)
    with (tmp_path / "tickets.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, delimiter=";")
        writer.writerow(["Item ID", "Worker", "Answer"])
        writer.writerows(rows)
    lines = [f"{i},{TEAMS[v]}\n" for i, v in planted.gold.items()]
    (tmp_path / "gold.csv").write_text("task,gold\n" + "".join(lines), encoding="utf-8")
    return tmp_path


def test_of_a_few_annotators_every_pair_is_shown(cli, tmp_path):
    crowd = simulate(Crowd(tasks=400, annotators=4, answers=4, copies=(("a00", 1.0),)), 3)
    answers = [f"{row['example_id']},{row['source']},{row['value']}" for row in crowd.answers.to_pylist()]
    (tmp_path / "few.csv").write_text("\n".join(["task,worker,label", *answers]) + "\n", encoding="utf-8")
    done = cli("annotators", tmp_path / "few.csv")
    assert done.code == 0, done.err
    assert "below the diagonal: answers that differ; above: correlation of errors" in done.out
    table = done.out[done.out.index("near-copy: 1") :].splitlines()
    rows = {line.split()[0]: line for line in table if line.startswith(("a00", "b00"))}
    assert rows["a00"].endswith("1.00 [1.00, 1.00]")
    assert rows["b00"].split()[1] == "0.0%"
    worth = float(done.out.split("annotators are worth at most ")[1].split()[0])
    assert worth == pytest.approx(25 / 7, abs=0.4)  # 1 five times, and 1 for the pair both ways


def test_three_commands_give_a_curated_set_and_the_bad_annotators(cli, folder, planted):
    found = cli("annotators", "tickets.csv", "--normalise", "--out", "annotators.csv")
    assert found.code == 0, found.err
    assert "columns: Item ID is example_id, Worker is source, Answer is value" in found.out
    assert "note: 4 labels are written in several ways" in found.out
    assert "'N/A'" in found.out
    assert "answers repeat what the same annotator said of the same question; counted once" in found.out
    with (folder / "annotators.csv").open(newline="") as file:
        flags = {row["annotator"]: json.loads(row["flags"]) for row in csv.DictReader(file)}
    bad = {name: each for name, each in flags.items() if each}
    assert bad.pop("s00") == ["spammer"]
    assert bad.pop("x00") == ["adversarial"]
    assert list(bad.values()) == [["near-copy"]]
    assert set(bad) <= {"a03", "b00"}
    done = cli(
        "curate",
        "tickets.csv",
        "--normalise",
        "--without",
        "annotators.csv",
        "--method",
        "majority_vote",
        "--out",
        "t.jsonl",
    )
    assert done.code == 0, done.err
    assert "left out: 3 annotators" in done.out
    rows = [json.loads(line) for line in (folder / "t.jsonl").read_text().splitlines()]
    right = np.mean([row["target"] == TEAMS[planted.gold[row["example_id"]]] for row in rows])
    assert right > 0.96
    assert {row["target"] for row in rows} == set(TEAMS.values())
    page = cli("reliability", "tickets.csv", "--normalise", "--known", "gold.csv", "--out", "labels.csv")
    assert page.code == 0, page.err
    assert "reliability is P(correct) by RobustDawidSkene, with 900 known labels" in page.out


def test_without_normalise_it_is_told_loudly(cli, folder):
    found = cli("annotators", "tickets.csv")
    assert "warning: 4 labels are written in several ways" in found.out
    assert "taken for different things; --normalise makes them one: '" in found.out
    assert "17 different labels" in found.out


def test_the_table_shows_flagged_annotators_first_and_at_most_as_many_as_asked(cli, folder):
    found = cli("annotators", "tickets.csv", "--normalise", "--most", "4")
    lines = found.out.splitlines()
    start = next(i for i, line in enumerate(lines) if line.startswith("annotator "))
    assert lines[start + 1].split()[0] in ("x00", "s00")
    assert lines[start + 5] == "9 more"
    assert "spammer: 1 (answers that hardly depend on the question)" in found.out


def test_a_filter_that_loses_a_class_says_so(cli, folder):
    rows = [f"q{i};w{j};{'rare' if i % 20 == 0 else 'often'}" for i in range(400) for j in range(3)]
    # the rare label is contested, so that it is the least certain
    rows = [row.replace("rare", "often") if row.endswith("rare") and ";w2;" in row else row for row in rows]
    (folder / "r.csv").write_text("task;worker;label\n" + "\n".join(rows) + "\n")
    done = cli("curate", "r.csv", "--estimator", "majority", "--keep", "0.5", "--out", "t.jsonl")
    assert done.code == 0, done.err
    assert "less than half the share of rare (5.0% to 0.0%); --stratify label keeps the mix" in done.out
    done = cli("curate", "r.csv", "--estimator", "majority", "--keep", "0.5", "--stratify", "label", "--out", "t.jsonl")
    assert "less than half" not in done.out


@pytest.mark.parametrize("arguments", [("annotators", "o.csv"), ("annotators", "tickets.csv", "--model", "david")])
def test_what_cannot_be_done_is_said(cli, folder, arguments):
    (folder / "o.csv").write_text("example_id,value\nq,x\n")
    failed = cli(*arguments)
    assert failed.code == 2
    assert "all answers are of one source" in failed.err or "unknown model of annotators 'david'" in failed.err


def test_two_answers_to_a_question_are_told_to_say_little(cli, folder):
    rows = [f"q{i},{who},{'xy'[i % 2]}" for i in range(30) for who in ("ann", "bob")]
    (folder / "two.csv").write_text("task,worker,label\n" + "\n".join(rows) + "\n")
    found = cli("annotators", "two.csv")
    assert found.code == 0, found.err
    assert "warning: 30 questions have fewer than three answers" in found.out
    assert "warning" not in cli("annotators", "tickets.csv", "--normalise").out


def test_given_and_known_labels_written_otherwise_are_told_or_made_one(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    rows = [f"q{i},{'x' if i < 6 else 'y'}" for i in range(10) for _ in range(5)]
    (tmp_path / "a.csv").write_text("example_id,value\n" + "\n".join(rows) + "\n")
    given = [f"q{i},{['x', 'y ', 'X', 'y'][i % 4]}" for i in range(10)]
    (tmp_path / "g.csv").write_text("example_id,label\n" + "\n".join(given) + "\n")
    told = cli("curate", "a.csv", "--method", "relabel", "--given", "g.csv", "--out", "o.jsonl")
    assert "warning: 5 given labels differ from the answers' in writing alone; --normalise makes them one" in told.out
    done = cli("curate", "a.csv", "--method", "relabel", "--given", "g.csv", "--normalise", "--out", "o.jsonl")
    assert "note: 5 given labels were written otherwise than the answers' and are written alike now" in done.out
    # right are q0, q2, q4 (x) and q7, q9 (y): five of ten are replaced
    assert "5 of 10 given labels were replaced by the consensus (50.0%)" in done.out
    mix = [line.split() for line in done.out.splitlines() if line.startswith(("x ", "y "))]
    assert mix == [["x", "50.0%", "60.0%"], ["y", "50.0%", "40.0%"]]


def test_training_rows_hold_no_stray_white_space(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("example_id,value\nq,x \nq,x \nr, y\nr, y\n")
    done = cli("curate", "a.csv", "--method", "majority_vote", "--out", "o.jsonl")
    assert done.code == 0, done.err
    rows = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert [row["target"] for row in rows] == ["x", "y"]

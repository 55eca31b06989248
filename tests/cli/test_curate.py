"""`outgrow curate` for trainers: what it writes and says, and what it refuses before any work."""

import json
import math

import pytest

ROWS = [
    {"example_id": q, "value": v, "prompt": f"What of {q}?"}
    for q, values in {"q1": "aaa", "q2": "aab", "q3": "bbb", "q4": "abc"}.items()
    for v in values
]


@pytest.fixture
def answers(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


@pytest.fixture
def bare(tmp_path):
    """The same answers without prompts."""
    path = tmp_path / "bare.csv"
    path.write_text("example_id,value\n" + "".join(f"{row['example_id']},{row['value']}\n" for row in ROWS))
    return path


def rows(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_weighted_method_for_a_trainer_is_refused_unless_it_is_said_what_becomes_of_the_weights(
    cli, answers, tmp_path
):
    out = tmp_path / "t.jsonl"
    weighted = ("curate", answers, "--out", out, "--method", "reliability_reweighting", "--format", "axolotl")
    found = cli(*weighted)
    assert found.code == 2
    for word in ("resample", "threshold", "keep-unused", "--format rows"):
        assert word in found.err
    assert not out.exists()

    found = cli(*weighted, "--weights", "resample")
    assert (found.code, len(rows(out)), set(rows(out)[0])) == (0, 4, {"messages"})
    assert "resampled in proportion to weight" in found.out
    assert cli(*weighted, "--weights", "threshold", "--min-weight", 1.2).code == 0
    assert [row["messages"][0]["content"] for row in rows(out)] == ["What of q1?", "What of q3?"]
    found = cli(*weighted, "--weights", "keep-unused")
    assert sum(row["weight"] for row in rows(out)) == pytest.approx(4)
    assert "will not use them" in found.out


def test_soft_labels_for_a_trainer_are_refused(cli, answers, tmp_path):
    found = cli("curate", answers, "--out", tmp_path / "t.jsonl", "--method", "soft_labels", "--format", "trl")
    assert found.code == 2
    assert "one answer per row" in found.err


def test_prompts_come_from_a_file_of_questions(cli, bare, tmp_path):
    out, questions = tmp_path / "t.jsonl", tmp_path / "q.jsonl"
    command = ("curate", bare, "--out", out, "--method", "majority_vote", "--format", "openai")
    found = cli(*command)
    assert found.code == 2
    assert "4 of 4 rows have no prompt" in found.err
    assert "--questions FILE" in found.err
    assert not out.exists()
    questions.write_text("".join(json.dumps({"example_id": f"q{i}", "question": f"And {i}?"}) + "\n" for i in range(9)))
    assert cli(*command, "--questions", questions).code == 0
    assert [row["messages"][0]["content"] for row in rows(out)] == ["And 1?", "And 2?", "And 3?", "And 4?"]


def test_relabel_counts_what_it_changed_and_writes_both_labels(cli, answers, tmp_path):
    out, given = tmp_path / "t.csv", tmp_path / "given.csv"
    given.write_text("example_id,label\nq1,b\nq2,b\nq9,a\n")
    found = cli("curate", answers, "--out", out, "--method", "relabel", "--given", given)
    assert found.code == 0, found.err
    assert "1 of 3 given labels were replaced by the consensus (33.3%)" in found.out
    assert "1 given labels have no answers and were kept" in found.out
    assert "2 answered questions have no given label and were left out" in found.out
    assert out.read_text().splitlines()[0].endswith(",given")


def test_settings_of_the_method_are_those_it_has_in_a_recipe(cli, answers, tmp_path):
    out = tmp_path / "t.jsonl"
    plain = ("curate", answers, "--out", out, "--method", "uncertainty_filtering")
    assert cli(*plain, "--set", "form=published", "--set", "percentile=10").code == 0
    # entropies 0 (q1, q3), .64 (q2), 1.1 (q4): the tenth percentile of the answers is 0
    assert [row["row_id"] for row in rows(out)] == [f"{q}/supervisor/0/{i}" for q in ("q1", "q3") for i in range(3)]
    assert cli(*plain, "--keep", "0.25", "--seed", "1").code == 0
    assert len(rows(out)) == 1
    weighted = ("curate", answers, "--out", out, "--method", "reliability_reweighting")
    for options, temperature in (((), 0.2), (("--temperature", "1"), 1.0)):
        assert cli(*weighted, *options).code == 0
        unanimous, two_to_one = rows(out)[:2]
        # R = 1 against 1 / (1 + e^(-1 / 3T))
        assert unanimous["weight"] / two_to_one["weight"] == pytest.approx(1 + math.exp(-1 / (3 * temperature)))


def test_known_gold_teaches_whom_to_trust_and_is_not_trained_on(cli, tmp_path):
    path, gold, out = (tmp_path / name for name in ("a.csv", "gold.csv", "t.jsonl"))
    said = {f"k{i:02d}": "aaa" if i < 30 else "aab" for i in range(60)} | {"p1": "bbb", "p2": "abb"}
    path.write_text("example_id,value\n" + "".join(f"{q},{v}\n" for q, values in said.items() for v in values))
    truth = {q: "a" if i < 27 or 30 <= i < 40 else "b" for i, q in enumerate(said) if q[0] == "k"}
    gold.write_text("example_id,value\n" + "".join(f"{q},{v}\n" for q, v in truth.items()))
    found = cli("curate", path, "--out", out, "--method", "calibrated_reweighting", "--known", gold)
    assert found.code == 0, found.err
    assert "the 60 questions with known gold are not among the rows" in found.out
    sure, split = rows(out)
    assert (sure["example_id"], split["example_id"]) == ("p1", "p2")
    # 27 of 30 unanimous and 10 of 30 split known labels are right; the fit is held back towards 37 of 60
    assert sure["reliability"] == pytest.approx(27 / 30, abs=0.1)
    assert split["reliability"] == pytest.approx(10 / 30, abs=0.1)
    assert sure["weight"] / split["weight"] == pytest.approx(sure["reliability"] / split["reliability"])
    without = cli("curate", path, "--out", out, "--method", "calibrated_reweighting")
    assert without.code == 2
    assert "--known FILE" in without.err


def test_the_list_of_data_sets_is_written_beside_and_named(cli, answers, tmp_path):
    out = tmp_path / "train.jsonl"
    found = cli("curate", answers, "--out", out, "--method", "majority_vote", "--format", "llamafactory-sharegpt")
    assert "added the entry 'train' to " in found.out
    assert json.loads((tmp_path / "dataset_info.json").read_text())["train"]["file_name"] == "train.jsonl"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--format", "lama"], "unknown format 'lama'"),
        (["--format", "open-ai"], "did you mean 'openai'"),
        (["--format", "openai", "--out", "t.csv"], "does not read the suffix '.csv'"),
        (["--weights", "resample"], "weights has no meaning for majority_vote"),
        (["--weights", "keep-unused"], "our own rows keep their weights"),
        (["--format", "trl", "--questions", "nowhere.csv"], "no such file"),
        (["--known", "nowhere.csv"], "no such file"),
        (["--keep", "0.5"], "majority_vote has no setting 'keep'; it has none"),
        (["--method", "random_filtering", "--set", "form=published"], "no setting 'form'; it has keep, stratify"),
        (["--method", "uncertainty_filtering", "--set", "form=old"], "form: must be 'corrected' or 'published'"),
        (["--set", "form"], "expected key=value"),
        (["--method", "strong_ceiling"], "strong_ceiling uses gold"),
        (["--min-weight", "1"], "belongs to --weights threshold"),
    ],
)
def test_wrong_settings_end_in_one_line_and_nothing_is_written(cli, answers, tmp_path, monkeypatch, options, message):
    monkeypatch.chdir(tmp_path)
    options = options if "--out" in options else [*options, "--out", "t.jsonl"]
    found = cli("curate", answers, "--method", "majority_vote", *options)
    assert found.code == 2
    assert message in found.err
    assert "Traceback" not in found.err
    assert list(tmp_path.iterdir()) == [answers]


def test_no_input_is_overwritten(cli, answers, tmp_path):
    for name in ("known", "given", "questions"):
        path = tmp_path / f"{name}.csv"
        path.write_text("example_id,label,question\nq1,a,b\n")
        found = cli("curate", answers, "--out", path, "--method", "relabel", f"--{name}", path)
        assert found.code == 2
        assert "is the input itself" in found.err
        assert path.read_text() == "example_id,label,question\nq1,a,b\n"

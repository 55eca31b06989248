"""The verbs `reliability` and `curate`: what they write, say, and refuse."""

import csv
import json
import subprocess
import sys

import pyarrow.parquet as pq
import pytest
import typer
from typer.testing import CliRunner

from outgrow.cli.curate import curate
from outgrow.cli.reliability import reliability
from outgrow.core.errors import ConfigError, DataError, OutgrowError, PrerequisiteError

ROWS = [
    {"example_id": q, "value": v, "prompt": f"What of {q}?"}
    for q, values in {"q1": "aaa", "q2": "aab", "q3": "bbb", "q4": "abc"}.items()
    for v in values
] + [{"example_id": "q5", "value": None, "prompt": "What of q5?"}] * 2


@pytest.fixture
def answers(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return path


def invoke(*arguments):
    app = typer.Typer(pretty_exceptions_enable=False)
    app.command()(reliability)
    app.command()(curate)
    found = CliRunner().invoke(app, [str(a) for a in arguments], env={"COLUMNS": "200"})
    if isinstance(found.exception, OutgrowError):
        raise found.exception
    assert found.exit_code == 0, found.output
    return found.output


def test_reliability_writes_one_label_per_question_and_says_what_it_saw(answers, tmp_path):
    out = tmp_path / "labels.jsonl"
    said = invoke("reliability", answers, "--out", out)
    labels = [json.loads(line) for line in out.read_text().splitlines()]
    assert [row["example_id"] for row in labels] == ["q1", "q2", "q3", "q4", "q5"]
    assert labels[1]["votes"] == {"a": 2, "b": 1}
    assert "5 questions, 14 answers, 2 invalid (14.3%)" in said
    assert "1 questions have no valid answer" in said
    assert "0.6365" in said  # the entropy of 2, 1
    assert f"wrote 5 rows to {out}" in said


def test_reliability_takes_every_option(answers, tmp_path):
    out = tmp_path / "labels.parquet"
    invoke("reliability", answers, "--out", out, "--seed", 3, "--temperature", 1.0, "--estimator", "vote_share")
    assert pq.read_schema(out).metadata[b"estimator"] == b"vote_share"
    assert pq.read_table(out).column("reliability").to_pylist()[:2] == [1.0, pytest.approx(2 / 3)]


def test_curate_writes_a_training_set_and_shows_the_label_mix(answers, tmp_path):
    out = tmp_path / "train.jsonl"
    said = invoke("curate", answers, "--method", "uncertainty_filtering", "--keep", 0.5, "--out", out)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert [(row["example_id"], row["prompt"], row["target"]) for row in rows] == [
        ("q1", "What of q1?", "a"),
        ("q3", "What of q3?", "b"),
    ]
    assert "probabilities" not in rows[0]
    assert "kept 2 of 4 questions with a label (5 in all), as 2 rows" in said
    assert "14 answers, 2 of them invalid" in said
    assert "Label mix" in said


def test_curate_writes_soft_labels_as_probabilities(answers, tmp_path):
    out = tmp_path / "train.jsonl"
    invoke("curate", answers, "--method", "soft_labels", "--out", out)
    second = json.loads(out.read_text().splitlines()[1])
    assert second["probabilities"] == {"a": pytest.approx(2 / 3), "b": pytest.approx(1 / 3)}


def test_csv_in_and_out_cannot_execute_anything(tmp_path):
    path, out = tmp_path / "a.csv", tmp_path / "train.csv"
    path.write_text('example_id,value,prompt\nq,"=HYPERLINK(""http://x"")",@cmd\nq,"=HYPERLINK(""http://x"")",@cmd\n')
    invoke("curate", path, "--method", "majority_vote", "--out", out)
    with out.open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert row["target"] == '\'=HYPERLINK("http://x")'
    assert row["prompt"] == "'@cmd"


def test_text_of_a_file_cannot_steer_the_terminal(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(
        "".join(
            json.dumps({"example_id": "q", "value": v, "\x1b[1mx": 1}) + "\n" for v in ["\x1b[31m[bold]red[/bold]"] * 2
        )
    )
    said = invoke("reliability", path, "--out", tmp_path / "o.jsonl")
    assert "\x1b[31m" not in said
    assert "\\x1b[31m[bold]red[/bold]" in said
    assert "columns not used: \\x1b[1mx" in said


def test_fewer_than_two_classes_is_said_and_still_written(tmp_path):
    path, out = tmp_path / "a.jsonl", tmp_path / "o.jsonl"
    path.write_text('{"example_id": "q", "value": "x"}\n{"example_id": "r", "value": "x"}\n')
    for verb in (["reliability"], ["curate", "--method", "majority_vote"]):
        said = invoke(verb[0], path, "--out", out, *verb[1:])
        assert "warning: every label is x; with fewer than two classes reliability tells nothing" in said
        assert len(out.read_text().splitlines()) == 2
    assert "asked once" in invoke("reliability", path, "--out", out)


BAD = {
    "malformed": ('{"example_id": "q", "value": "x"}\n{"example_id": \n', "line 2: malformed JSON"),
    "twice": ('{"example_id": "q", "value": "x", "sample": 0}\n' * 2, "line 1 and line 2: the same answer key twice"),
    "columns": ('{"example_id": "q", "mood": "x"}\n', "missing columns ['value']"),
    "empty": ("", "the answers table is empty"),
    "invalid": ('{"example_id": "q", "value": null}\n', "none of the 1 answers has a value"),
    "bytes": (b'{"example_id": "q", "value": "x"}\n{"example_id": "\xff"}\n', "line 2: byte 0xff"),
}


@pytest.mark.parametrize("verb", ["reliability", "curate"])
@pytest.mark.parametrize("fault", BAD)
def test_bad_tables_are_refused_with_file_and_line_and_nothing_is_written(tmp_path, verb, fault):
    content, message = BAD[fault]
    path, out = tmp_path / "answers.jsonl", tmp_path / "out.jsonl"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(DataError) as caught:
        invoke(verb, path, "--out", out)
    assert str(path) in str(caught.value)
    assert message in str(caught.value)
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("verb", ["reliability", "curate"])
def test_bad_paths_are_refused_before_any_work(answers, tmp_path, verb):
    with pytest.raises(DataError, match="no such file"):
        invoke(verb, tmp_path / "none.jsonl", "--out", tmp_path / "o.jsonl")
    with pytest.raises(DataError, match=r"suffix '\.txt'"):
        invoke(verb, answers, "--out", tmp_path / "o.txt")
    with pytest.raises(DataError, match="does not exist; create it first"):
        invoke(verb, answers, "--out", tmp_path / "none" / "o.jsonl")
    with pytest.raises(ConfigError, match="is the input itself"):
        invoke(verb, answers, "--out", answers)
    assert len(answers.read_text().splitlines()) == len(ROWS)


def test_wrong_settings_are_named(answers, tmp_path):
    out = tmp_path / "o.jsonl"
    with pytest.raises(ConfigError, match="unknown estimator 'mood'"):
        invoke("reliability", answers, "--out", out, "--estimator", "mood")
    with pytest.raises(ConfigError, match="unknown method 'mood'"):
        invoke("curate", answers, "--out", out, "--method", "mood")
    with pytest.raises(ConfigError, match="keep: must be greater than 0"):
        invoke("curate", answers, "--out", out, "--keep", "0")
    assert not out.exists()


def test_several_sources_get_a_label_each_when_asked_for(tmp_path):
    path, out = tmp_path / "a.csv", tmp_path / "o.csv"
    path.write_text("example_id,source,value\nq,s,x\nq,s,x\nq,t,y\nq,t,x\n")
    with pytest.raises(PrerequisiteError, match="several sources"):
        invoke("reliability", path, "--out", out, "--estimator", "softmax")
    invoke("reliability", path, "--out", out, "--one-label-per-source")
    with out.open(newline="") as file:
        assert [row["source"] for row in csv.DictReader(file)] == ["s", "t"]


def test_the_verbs_need_no_heavy_library(answers, tmp_path):
    code = (
        "import sys; from pathlib import Path; "
        "from outgrow.cli.reliability import reliability; from outgrow.cli.curate import curate; "
        f"reliability(Path({str(answers)!r}), Path({str(tmp_path / 'o.csv')!r})); "
        f"curate(Path({str(answers)!r}), Path({str(tmp_path / 'c.csv')!r})); "
        "sys.exit(bool({'torch', 'transformers', 'sklearn', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0


def test_importing_the_verbs_loads_no_table_library():
    code = (
        "import sys, outgrow.cli.reliability, outgrow.cli.curate; "
        "sys.exit(bool({'pyarrow', 'numpy', 'rich.table'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_estimator_that_finds_nothing_is_said(tmp_path):
    plain = tmp_path / "a.csv"
    plain.write_text("example_id,value\nq1,x\nq1,y\nq2,x\n")
    assert "warning: no label has a reliability" in invoke(
        "reliability", plain, "--out", tmp_path / "o.jsonl", "--estimator", "mean_logprob"
    )

"""The page of labels: what it holds, what it takes, and what it refuses."""

from __future__ import annotations

import base64
import gzip
import json
import re
import subprocess
import sys

import pyarrow as pa
import pytest

from outgrow.core.errors import DataError
from outgrow.core.tables import ANSWERS, LABELS, build
from outgrow.io import write_table
from outgrow.io.labels import read_labels
from outgrow.reliability import agreement
from outgrow.reporting import explore
from outgrow.reporting.explore import build_explorer, explore_payload, write_explorer

SAID = {"q1": ["a", "a"], "q2": ["a", "b"], "q3": [None, None]}


def answers(said=SAID, **columns):
    rows = [(q, k, v) for q, values in said.items() for k, v in enumerate(values)]
    ids, variants, values = zip(*rows, strict=True)
    given = {
        "example_id": ids,
        "source": ["s"] * len(rows),
        "variant": variants,
        "sample": [0] * len(rows),
        "prompt": [f"{q}, wording {k}?" for q, k, _ in rows],
        "text": [None if v is None else f"it is {v}" for v in values],
        "value": pa.array(values, pa.string()),
    }
    return build(ANSWERS, {**given, **columns})


def read(payload):
    texts = [*payload["texts"], None]
    return lambda numbers: [texts[n] for n in numbers]


def data_of(path):
    """What the page's script gets."""
    packed = path.read_text("utf-8").split('id="labels-data">')[1].split("</script>")[0]
    return json.loads(gzip.decompress(base64.b64decode(packed)))


def said_of(found):
    """The numbers of each question's answers."""
    return [list(range(a, b)) for a, b in zip(found["starts"][:-1], found["starts"][1:], strict=True)]


def test_rows_read_back_as_they_were():
    found = explore_payload(agreement(answers(), seed=0))
    text = read(found)
    assert found["ids"] == ["q1", "q2", "q3"]
    assert text(found["label"])[::2] == ["a", None]
    assert found["entropy"] == [0.0, 0.6931, 0.6931]  # two invalid answers disagree: ln 2
    assert found["reliability"] == [1.0, 0.5, 0.0]
    assert found["invalid"] == [0, 0, 2]
    assert sorted(text(found["votes"][1][::2])) == ["a", "b"]
    assert found["votes"][1][1::2] == [1, 1]
    assert found["source"] is None  # there is but one
    assert found["starts"] is None
    assert found["asked"] == [-1, -1, -1]


def test_histograms_place_every_question():
    found = explore_payload(agreement(answers(), seed=0))
    bars = {
        each["key"]: dict(zip(found["ids"], (each["names"][k] for k in each["rows"]), strict=True))
        for each in found["histograms"]
    }
    assert bars["entropy"] == {"q1": "0.00", "q2": "0.69", "q3": "0.69"}
    assert bars["reliability"] == {"q1": "1.00", "q2": "0.50", "q3": "0.00"}
    assert bars["votes"] == {"q1": "2", "q2": "1", "q3": "no label"}
    assert bars["label"]["q1"] == "a"
    assert bars["label"]["q3"] == "no label"


def test_answers_stand_with_their_question_in_the_order_of_wordings():
    said = answers()
    shuffled = said.take(pa.array([3, 5, 0, 2, 4, 1]))
    found = explore_payload(agreement(said, seed=0), shuffled)
    text, columns = read(found), found["answers"]
    assert [len(each) for each in said_of(found)] == [2, 2, 2]
    assert [[columns["variant"][i] for i in each] for each in said_of(found)] == [[0, 1]] * 3
    assert text([columns["value"][i] for i in said_of(found)[1]]) == ["a", "b"]
    assert text([columns["text"][i] for i in said_of(found)[2]]) == [None, None]
    assert text(found["asked"]) == ["q1, wording 0?", "q2, wording 0?", "q3, wording 0?"]


def test_where_each_source_has_a_label_answers_go_to_their_own():
    both = pa.concat_tables([answers({"q1": ["a", "a"]}), answers({"q1": ["b", "b"]}, source=["t", "t"])])
    found = explore_payload(agreement(both, seed=0, one_label_per_source=True), both)
    text = read(found)
    assert text(found["source"]) == ["s", "t"]
    assert [text([found["answers"]["value"][i] for i in each]) for each in said_of(found)] == [["a", "a"], ["b", "b"]]


def test_answers_of_other_questions_are_refused_and_some_others_left_aside():
    labels = agreement(answers(), seed=0)
    with pytest.raises(DataError, match=r"no answer belongs to a label.*'x1'.*'q1'"):
        explore_payload(labels, answers({"x1": ["a"]}))
    found = explore_payload(labels, answers({"x1": ["a"], "q2": ["b", "b"]}))
    assert [len(each) for each in said_of(found)] == [0, 2, 0]


def test_too_many_questions_or_answers_are_left_out_whole_and_counted(monkeypatch):
    many = answers({f"q{i}": ["a", "b"] for i in range(20)})
    labels = agreement(many, seed=0)
    monkeypatch.setattr(explore, "MOST_QUESTIONS", 8)
    monkeypatch.setattr(explore, "MOST_ANSWERS", 5)
    found = explore_payload(labels, many)
    assert (len(found["ids"]), found["left_out"]) == (8, 12)
    assert [len(each) for each in said_of(found)] == [2, 2, 0, 0, 0, 0, 0, 0]
    assert found["answers_left_out"] == 12
    page = " ".join(build_explorer(labels, answers=many).split())
    assert "12 questions drawn at random and 12 answers of the later questions were left out." in page


def test_labels_without_measures_make_a_page_of_what_there_is():
    bare = build(LABELS, {"example_id": ["q1"], "value": ["a"], "n_valid": [1], "n_invalid": [0]})
    assert [each["key"] for each in explore_payload(bare)["histograms"]] == ["label"]
    assert "Mean reliability" not in build_explorer(bare)


def test_numbers_that_are_not_finite_do_not_break_the_page():
    labels = agreement(answers(), seed=0)
    wild = labels.set_column(
        labels.column_names.index("reliability"), "reliability", pa.array([float("inf"), float("nan"), 0.5])
    )
    assert explore_payload(wild)["reliability"] == [None, None, 0.5]


def test_the_page_is_one_file_and_hostile_text_stays_text(tmp_path, hostile):
    said = answers({text: ["a", hostile.HOSTILE[1]] for text in hostile.HOSTILE})
    path = write_explorer(agreement(said, seed=0), tmp_path / "p.html", answers=said, name=hostile.HOSTILE[0])
    page = path.read_text("utf-8")
    assert page.count("<script") == 2  # the data and the one script
    assert not re.search(r"""(src|href)=["']?(https?:)?//""", page)
    assert "<script>window.hacked" not in page
    assert data_of(path)["ids"] == list(hostile.HOSTILE)


def test_the_same_labels_give_the_same_bytes():
    labels = agreement(answers(), seed=0)
    assert build_explorer(labels, answers=answers()) == build_explorer(labels, answers=answers())


@pytest.mark.parametrize("suffix", [".jsonl", ".csv", ".parquet"])
def test_labels_are_read_back_from_what_the_verb_writes(tmp_path, suffix):
    labels = agreement(answers(), seed=0)
    found = read_labels(write_table(labels, tmp_path / f"l{suffix}"))
    assert explore_payload(found) == explore_payload(labels)


def test_a_question_twice_is_refused_with_both_lines_and_answers_are_told_from_labels(tmp_path):
    path = tmp_path / "l.csv"
    path.write_text("example_id,value,entropy\nq1,a,0\nq2,a,0\nq1,b,0\n")
    with pytest.raises(DataError, match="line 2 and line 4: the question 'q1' twice"):
        read_labels(path)
    path.write_text("example_id,value\nq1,a\nq1,b\n")
    assert read_labels(path) is None


def test_the_verb_writes_a_page_of_labels_with_their_answers_or_of_answers_alone(cli, tmp_path):
    labels, said, out = tmp_path / "l.jsonl", tmp_path / "a.jsonl", tmp_path / "p.html"
    write_table(answers(), said)
    assert cli("reliability", said, "--out", labels).code == 0
    found = cli("explore", labels, "--out", out)
    assert (found.code, found.err) == (0, "")
    assert f"wrote a page of 3 questions to {out}" in found.out
    alone = data_of(out)["texts"]
    assert cli("explore", labels, "--out", out, "--answers", said).code == 0
    assert "q1, wording 1?" in data_of(out)["texts"]
    assert "q1, wording 1?" not in alone
    assert cli("explore", said, "--out", tmp_path / "q.html").code == 0
    assert "q1, wording 1?" in data_of(tmp_path / "q.html")["texts"]


def test_prompts_come_from_a_file_of_questions_where_the_answers_have_none(cli, tmp_path):
    said, questions, out = tmp_path / "a.csv", tmp_path / "q.csv", tmp_path / "p.html"
    said.write_text("example_id,value\nq1,x\nq1,y\nq2,x\nq2,x\n")
    questions.write_text('example_id,question\nq1,"Said ""first""?"\n')
    assert cli("explore", said, "--out", out).code == 0
    assert data_of(out)["asked"] == [-1, -1]
    assert cli("explore", said, "--out", out, "--questions", questions).code == 0
    assert 'Said "first"?' in data_of(out)["texts"]
    labels = write_table(agreement(answers(), seed=0), tmp_path / "l.jsonl")
    assert "add them: --answers FILE" in cli("explore", labels, "--out", out, "--questions", questions).err


def test_a_file_of_workers_makes_a_page_with_annotators(cli, tmp_path):
    crowd = tmp_path / "crowd.csv"
    crowd.write_text("task;worker;label\n" + "".join(f"q{i};{w};{'xy'[i % 2]}\n" for i in range(20) for w in "abc"))
    found = cli("explore", crowd, "--out", tmp_path / "p.html")
    assert found.code == 0, found.err
    assert "columns: task is example_id, worker is source, label is value" in found.out
    page = (tmp_path / "p.html").read_text()
    assert "reliability is the probability that the label is right, by RobustDawidSkene" in page
    assert '<section id="annotators">' in page
    together = cli("explore", crowd, "--together", "--out", tmp_path / "t.html")
    assert together.code == 0, together.err
    assert '<section id="annotators">' not in (tmp_path / "t.html").read_text()


def test_ways_of_writing_stand_on_the_page(cli, tmp_path):
    crowd, out = tmp_path / "crowd.csv", tmp_path / "p.html"
    ways = {"a": "Billing", "b": "billing ", "c": "Billing"}
    rows = [f"q{i},{who},{ways[who] if i % 2 else 'sales'}" for i in range(20) for who in "abc"]
    crowd.write_text("\n".join(["task,worker,label", *rows]) + "\n")
    for extra, says, labels in (
        ([], "--normalise</code> makes them one", {"Billing", "billing ", "sales"}),
        (["--normalise"], "Each counts as one here", {"Billing", "sales"}),
    ):
        assert cli("explore", crowd, "--out", out, *extra).code == 0
        page = out.read_text("utf-8")
        assert says in page
        assert "<code>&#39;billing &#39;</code> 10</span>" in page
        data = data_of(out)
        assert {data["texts"][k] for k in data["answers"]["value"]} == labels
    assert cli("explore", crowd, "--out", out, "--together").code == 0
    plain = tmp_path / "plain.csv"
    plain.write_text("task,worker,label\nq1,a,x\nq1,b,y\n")
    assert cli("explore", plain, "--out", out).code == 0
    assert 'id="variants"' not in out.read_text("utf-8")


def test_bad_input_ends_in_one_line_and_no_page(cli, tmp_path):
    labels, said = tmp_path / "l.jsonl", tmp_path / "a.jsonl"
    write_table(answers(), said)
    write_table(agreement(answers(), seed=0), labels)
    for arguments, message in [
        ((labels, "--out", tmp_path / "p.pdf"), "end its name in .html"),
        ((labels, "--out", tmp_path / "none" / "p.html"), "does not exist; create it first"),
        ((tmp_path / "m.jsonl", "--out", tmp_path / "p.html"), "no such file"),
        ((said, "--out", tmp_path / "p.html", "--answers", said), "leave --answers out"),
    ]:
        found = cli("explore", *arguments)
        assert found.code == 2
        assert message in found.err
        assert "Traceback" not in found.err
    page = tmp_path / "l.html"
    page.symlink_to(labels)
    before = labels.read_bytes()
    assert "is the input itself" in cli("explore", labels, "--out", page).err
    assert labels.read_bytes() == before
    assert not (tmp_path / "p.html").exists()


def test_the_verb_needs_no_heavy_library(tmp_path):
    labels = write_table(agreement(answers(), seed=0), tmp_path / "l.jsonl")
    code = (
        "import sys; from pathlib import Path; from outgrow.cli.explore import explore; "
        f"explore(Path({str(labels)!r}), out=Path({str(tmp_path / 'p.html')!r}), answers=None, seed=0); "
        "sys.exit(bool({'torch', 'transformers', 'sklearn', 'scipy', 'matplotlib'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, capture_output=True).returncode == 0

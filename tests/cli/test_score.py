"""`outgrow score`: what it prints."""

import json

import pytest

GOLD = [("a", '{"time": "nine"}'), ("b", '{"date": "friday"}'), ("c", "{}")]


@pytest.fixture
def files(tmp_path):
    for name, rows in (("gold.jsonl", GOLD), ("said.jsonl", [GOLD[0], ("b", "no"), ("z", "{}")])):
        (tmp_path / name).write_text("".join(json.dumps({"id": i, "text": text}) + "\n" for i, text in rows))
    return tmp_path / "said.jsonl", tmp_path / "gold.jsonl", "--columns", "value=text"


def test_slots_are_scored_with_all_that_is_wrong_counted(cli, files):
    found = cli("score", *files, "--metric", "slot_f1", "--metric", "slot_exact_match")
    assert found.code == 0, found.err
    lines = [" ".join(line.split()) for line in found.out.splitlines()]
    assert lines[:6] == [
        "columns of predictions: text is value, id is example_id",
        "columns of gold: text is value, id is example_id",
        "3 questions, 1 without a prediction, 0 empty",
        f"warning: 1 predictions are no slots; the first is {files[0]}, line 2, column 'text': 'no'",
        "questions without a readable prediction count as invalid answers: a class never right, no slots",
        "note: 1 predictions have no gold and are not scored",
    ]
    assert any(line.startswith("slot_f1 66.7 [") for line in lines)  # 2 x 1 / (2 + 1)
    assert lines[-3:] == ["type gold predicted right F1, %", "date 1 0 0 0.0", "time 1 1 1 100.0"]


def test_numbers_for_programs(cli, files):
    found = cli("score", *files, "--metric", "slu_f1", "--json")
    numbers = json.loads(found.out)
    assert numbers["metrics"]["slu_f1"]["value"] == pytest.approx(4 / (4 + 2))  # "friday" is missed in both passes
    assert (numbers["unreadable"], numbers["missing"], numbers["without_gold"]) == (1, 1, 1)


def test_wrong_columns_end_with_2(cli, files):
    found = cli("score", *files[:2])
    assert found.code == 2
    assert "missing columns ['value']" in found.err

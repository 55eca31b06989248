"""The answers inside the page: complete, small, and unable to break out of their script element."""

from __future__ import annotations

import base64
import gzip
import json
import re

import pyarrow as pa
import pytest

from outgrow.reporting import answers, texts
from outgrow.reporting.answers import answers_payload
from outgrow.reporting.page import packed
from outgrow.reporting.run import as_results


@pytest.fixture
def table(results):
    results["arms"] = results["arms"][:1]  # naive
    return pa.table(
        {
            "example_id": ["q1", "q2", "q1"],
            "question": ["one?", "two?", "one?"],
            "choices": pa.array([["a", "b"], None, ["a", "b"]], pa.list_(pa.string())),
            "gold": ["a", "b", "a"],
            "seed": [0, 0, 1],
            "supervisor_value": pa.array(["a", None, "b"], pa.string()),
            "votes": pa.array([[("b", 1), ("a", 3)], [], [("b", 4)]], pa.map_(pa.string(), pa.int64())),
            "label": ["a", "b", "b"],
            "entropy": [0.56234, float("nan"), 0.0],
            "reliability": pa.array([0.9, None, 1.0], pa.float64()),
            "stratum": ["easy", "", "easy"],
            "arm:naive": ["b", "b", "a"],
            "arm:gone": ["x", "x", "x"],
        }
    )


def test_rows_read_back_as_they_were(table, results):
    found = answers_payload(table, as_results(results))
    texts = [*found["texts"], None]  # -1 is null

    assert [speaker["name"] for speaker in found["speakers"]] == ["supervisor", "consensus", "naive"]
    assert [[texts[n] for n in said] for said in found["said"]] == [["a", None, "b"], ["a", "b", "b"], ["b", "b", "a"]]
    assert [texts[n] for n in found["questions"][0][:2]] == ["q1", "one?"]
    assert [texts[n] for n in found["questions"][0][2]] == ["a", "b"]
    assert [texts[n] for n in found["questions"][1][3:]] == ["b", None]
    assert found["row_question"] == [0, 1, 0]
    assert found["row_seed"] == [0, 0, 1]
    assert found["row_entropy"] == [0.5623, None, 0.0]
    assert found["row_reliability"] == [0.9, None, 1.0]


def test_votes_come_most_votes_first(table, results):
    found = answers_payload(table, as_results(results))
    a, b = found["texts"].index("a"), found["texts"].index("b")
    assert found["row_votes"] == [[a, 3, b, 1], [], [b, 4]]


def test_each_text_is_kept_once(table, results):
    texts = answers_payload(table, as_results(results))["texts"]
    assert len(texts) == len(set(texts))


def test_a_long_text_is_cut_and_says_so(table, results, monkeypatch):
    monkeypatch.setattr(texts, "LONGEST_TEXT", 3)
    found = answers_payload(table, as_results(results))["texts"]
    assert "one… (1 more characters in answers.parquet)" in found


def test_too_many_rows_leave_out_whole_questions_and_count_them(table, results, monkeypatch):
    monkeypatch.setattr(answers, "MOST_ROWS", 2)
    found = answers_payload(table, as_results(results))
    assert len(found["questions"]) == 1
    assert found["left_out"] + len(found["row_question"]) == 3


def test_json_in_a_script_holds_nothing_that_html_reads():
    payload = ["</script><script>", "<!--", "&amp;", "\u2028\u2029", 'quote " and \\ back']
    text = packed(payload)
    assert re.fullmatch(r"[A-Za-z0-9+/]+=*", text)
    assert json.loads(gzip.decompress(base64.b64decode(text))) == payload
    assert packed(payload) == text


def test_a_number_that_json_cannot_hold_is_an_error():
    with pytest.raises(ValueError, match="JSON"):
        packed([float("nan")])

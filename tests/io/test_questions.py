"""The files beside the answers: questions in words, and given labels."""

from __future__ import annotations

import pyarrow as pa
import pytest

from outgrow.core.errors import DataError
from outgrow.core.tables import ANSWERS, build
from outgrow.experiment.curate import curate
from outgrow.io.questions import prompts_of, read_given, read_questions


def write(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_choices_are_listed_as_the_table_task_lists_them(tmp_path):
    path = write(tmp_path / "q.csv", 'example_id,question,choices\nq1,Where?,"[""sea"", ""land""]"\nq2,Why?,\nq3,,\n')
    assert prompts_of(read_questions(path)).to_pylist() == ["Where?\n- sea\n- land\nAnswer:", "Why?", None]


@pytest.mark.parametrize(
    ("read", "text", "message"),
    [
        (read_questions, "example_id,question\nq1,a\nq2,b\nq1,c\n", "line 2 and line 4: the question 'q1' twice"),
        (read_questions, "example_id,mood\nq1,a\n", r"missing columns \['question'\]"),
        (read_questions, "example_id,question\nq1,\n", "column 'question' is empty in every row"),
        (read_questions, "example_id,question\n,a\n", "line 2, column 'example_id': empty"),
        (read_given, "example_id,label\nq1,a\nq1,b\n", "line 2 and line 3: the question 'q1' twice"),
        (read_given, "example_id,mood\nq1,a\n", r"missing columns \['label'\]"),
        (read_given, "", "empty"),
    ],
)
def test_bad_files_are_refused_with_the_line(tmp_path, read, text, message):
    path = write(tmp_path / "f.csv", text)
    with pytest.raises(DataError, match=message) as caught:
        read(path)
    assert str(path) in str(caught.value)


def answers(prompts):
    return build(
        ANSWERS,
        {
            "example_id": ["q1", "q1", "q2", "q2"],
            "source": ["s"] * 4,
            "variant": [0] * 4,
            "sample": [0, 1, 0, 1],
            "prompt": prompts,
            "value": ["a", "a", "b", "b"],
        },
    )


QUESTIONS = pa.table(
    {
        "example_id": ["q2", "q1"],
        "question": ["Two?", "One?"],
        "choices": pa.nulls(2, pa.list_(pa.string())),
        "label": pa.array(["b", "b"]),
    }
)


@pytest.mark.parametrize("method", ["majority_vote", "all_answers"])
def test_questions_give_prompts_to_rows_whose_answers_have_none(method):
    found = curate(answers([None] * 4), method=method, questions=QUESTIONS)
    by_id = dict(zip(found.rows.column("example_id").to_pylist(), found.rows.column("prompt").to_pylist(), strict=True))
    assert by_id == {"q1": "One?", "q2": "Two?"}


def test_prompts_of_answers_come_first():
    found = curate(answers(["as asked"] * 2 + [None] * 2), method="majority_vote", questions=QUESTIONS)
    assert found.rows.column("prompt").to_pylist() == ["as asked", "Two?"]


def test_labels_of_questions_are_the_given_ones_for_relabel():
    found = curate(answers([None] * 4), method="relabel", questions=QUESTIONS)
    assert found.rows.column("target").to_pylist() == ["b", "a"]
    assert found.summary.notes == ("1 of 2 given labels were replaced by the consensus (50.0%)",)


def test_questions_of_another_set_are_refused():
    other = QUESTIONS.set_column(0, "example_id", pa.array(["x", "y"]))
    with pytest.raises(DataError, match=r"no question belongs to an answer.*'x', 'y'.*'q1'"):
        curate(answers([None] * 4), method="majority_vote", questions=other)

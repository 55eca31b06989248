"""Files of answers without ids, and with probabilities in columns of their own."""

import json

import pytest

from outgrow.core.errors import ConfigError, DataError
from outgrow.experiment.label import label
from outgrow.supervisors.config import FileSupervisor
from outgrow.supervisors.file import identity

QUESTIONS = [
    {"q": "Is it red?", "c": "rose", "gold": 1, "weak": 1, "p": 0.75},
    {"q": "Is it red?", "c": "leaf", "gold": 0, "weak": 1, "p": 0.5},
    {"q": "Is it old?", "c": "oak", "gold": 1, "weak": 0, "p": 0.25},
]
BY_TEXT = {"text": ["q", "c"], "columns": {"value": "weak"}}


@pytest.fixture
def answers(tmp_path):
    """Answers of a file to questions of a table without gold, by `q` and `c`."""

    def of(rows=QUESTIONS, task=None, questions=QUESTIONS, **supervisor):
        for name, table in (("data", questions), ("said", rows)):
            (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in table))
        own = {"kind": "table", "path": "data.jsonl", "text": ["q", "c"], "classes": ["0", "1"], "group": "q"}
        raw = {
            "task": own | (task or {}),
            "supervisors": [{"kind": "file", "path": "said.jsonl", **supervisor}],
            "data_dir": str(tmp_path),
        }
        return label(raw, store=tmp_path / "store").answers

    return of


def by_question(table, column):
    """The last line of each prompt's question is the candidate."""
    return {row["prompt"].splitlines()[1]: row[column] for row in table.to_pylist()}


def test_answers_find_their_questions_by_text_in_any_order_and_case(answers):
    rows = [{**row, "q": row["q"].upper() + "  "} for row in reversed(QUESTIONS)]
    found = answers(rows, **BY_TEXT)
    assert by_question(found, "value") == {"rose": "1", "leaf": "1", "oak": "0"}
    assert by_question(found, "prompt")["oak"] == "Is it old?\noak\n- 0\n- 1\nAnswer:"  # the task's, not the file's
    assert set(found["probabilities"].to_pylist()) == {None}


def test_a_text_that_stands_twice_has_two_answers_and_one_of_no_question_none(answers):
    other = {"q": "Is it wet?", "c": "rain", "weak": 1}
    found = answers([other, *QUESTIONS, {**QUESTIONS[0], "weak": 0}], **BY_TEXT)
    rose = [row for row in found.to_pylist() if "rose" in row["prompt"]]
    assert [(row["sample"], row["value"]) for row in rose] == [(0, "1"), (1, "0")]
    assert found.num_rows == 4


def test_a_column_called_text_is_the_question_and_no_answer(answers):
    plain = [{"text": "a", "weak": 1}, {"text": "b", "weak": 0}]
    found = answers(plain, {"text": "text", "group": None}, plain, text="text", columns={"value": "weak"})
    assert found["value"].to_pylist() == ["1", "0"]
    assert found["text"].to_pylist() == [None, None]


def test_a_value_without_a_column_has_the_rest_of_the_probability(answers):
    found = answers(**BY_TEXT, probabilities={"1": "p"})
    assert {name: dict(p) for name, p in by_question(found, "probabilities").items()} == {
        "rose": {"1": 0.75, "0": 0.25},
        "leaf": {"1": 0.5, "0": 0.5},
        "oak": {"1": 0.25, "0": 0.75},
    }


def test_every_value_may_have_a_column_and_answers_ids_of_their_own(answers):
    rows = [{"task": i, "label": 1, "yes": 0.5, "no": 0.25} for i in range(2)]
    questions = [{"n": i, "q": f"question {i}"} for i in range(2)]
    task = {"text": "q", "group": None, "id": "n"}
    found = answers(rows, task, questions, probabilities={"1": "yes", "0": "no"})
    assert [dict(p) for p in found["probabilities"].to_pylist()] == [{"1": 0.5, "0": 0.25}] * 2


@pytest.mark.parametrize(
    ("rows", "options", "message"),
    [
        ([{**QUESTIONS[0], "p": 1.5}], {"probabilities": {"1": "p"}}, r"line 1, columns \['p'\]: \[1.5\] are no prob"),
        ([*QUESTIONS[:2], {**QUESTIONS[2], "p": -0.5}], {"probabilities": {"1": "p"}}, r"said.jsonl, line 3, columns"),
        ([{**QUESTIONS[0], "p": None}], {"probabilities": {"1": "p"}}, "line 1, column 'p': empty; every row needs"),
        ([{**QUESTIONS[0], "c": None}], {}, "line 1, column 'c': empty; every row needs"),
        (QUESTIONS, {"probabilities": {"yes": "p"}}, r"of the options \['0', '1'\].*\['0', '1'\] have no"),
        (QUESTIONS[2:], {"probabilities": {"1": "p", "yes": "p"}}, r"\['yes'\] are none of them; name a col"),
        (QUESTIONS, {"text": "q"}, r"none of its 2 texts is a question of task 'data'; the file has 'Is it red\?'"),
        (QUESTIONS, {"text": ["q", "candidate"]}, r"said.jsonl: missing columns \['candidate'\]; found"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(answers, rows, options, message):
    with pytest.raises(DataError, match=message):
        answers(rows, **BY_TEXT | options)


def test_questions_that_only_their_options_tell_apart_have_no_text_of_their_own(answers):
    questions = [{"q": "Which?", "o": ["a", "b"]}, {"q": "Which?", "o": ["a", "c"]}]
    rows = [{"q": "which?", "label": "a"}]
    task = {"text": "q", "group": None, "classes": None, "choices": "o"}
    with pytest.raises(DataError, match=r"two questions of task 'data' have the text 'Which\?' and differ in their op"):
        answers(rows, task, questions, text="q")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": {"valeu": "weak"}}, "unknown column of answers 'valeu'; did you mean 'value'"),
        ({"columns": {"example_id": "n"}, "text": "q"}, "columns names 'example_id' too; keep one"),
        ({"columns": {"probabilities": "p"}, "probabilities": {"1": "p"}}, "columns names 'probabilities' too"),
    ],
)
def test_settings_that_contradict_each_other_are_told(options, message, answers):
    with pytest.raises(ConfigError, match=message):
        answers(**options)


def test_what_is_read_otherwise_is_kept_apart_in_a_store(tmp_path):
    (tmp_path / "said.csv").write_text("q,weak,p\na,1,.5\n")
    settings = [{}, {"text": "q"}, {"columns": {"value": "weak"}}, {"probabilities": {"1": "p"}}]
    made = [FileSupervisor(name="a", path="said.csv", **each) for each in settings]
    assert len({identity(each, tmp_path) for each in made}) == 4

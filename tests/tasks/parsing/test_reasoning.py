"""Reasoning is no answer."""

import pytest

from outgrow.core.tables import Example, iter_examples
from outgrow.supervisors.file import _read
from outgrow.supervisors.queries import Query
from outgrow.tasks.base import Wording
from outgrow.tasks.microworld.task import Counts, MicroworldConfig, MicroworldTask
from outgrow.tasks.parsing import before_cut, final_number, read_letter
from outgrow.tasks.parsing.reasoning import after_reasoning
from outgrow.tasks.table import TableTask
from outgrow.tasks.table_config import TableConfig


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("B", "B"),
        ("<think>A or C? The answer is A.</think>\n\nB", "B"),
        ("<THINK>hm</THINK> B", "B"),
        ("[THINK]It is A.[/THINK]B", "B"),
        ("It is A, or not.</think>B", "B"),  # the prompt had opened it
        ("<think>A</think> wait <think>C</think> B", "B"),
        ("<think></think>B", "B"),
        ("<reasoning>A</reasoning>\nB", "B"),
        ("<|channel|>analysis<|message|>A?<|end|><|start|>assistant<|channel|>final<|message|>B<|return|>", "B"),
        ("<think>The answer is A, because", None),
        ("  <think>\nA", None),
        ("[THINK] It is A.", None),
        ("<|channel|>analysis<|message|>The answer is A", None),
        ("analysisThe answer is A? No.assistantfinalB", "B"),  # the marks of the channels were dropped
        ("analysisThe answer is A", None),
        ("analysis of the case: B", "analysis of the case: B"),
        ("the tag <think> means nothing here", "the tag <think> means nothing here"),
        ("", ""),
    ],
)
def test_what_is_left_is_the_answer(text, answer):
    assert after_reasoning(text) == answer


def test_no_reader_sees_what_was_thought():
    text = "<think>48 / 2 = 24, the answer is 24. Hm, (A)?</think>The answer is 72. (B)"
    assert final_number(after_reasoning(text)) == "72"
    assert read_letter(after_reasoning("<think>The answer is A.</think>B"), 4) == 1


def test_an_answer_in_a_file_is_read_behind_its_reasoning():
    counts = Counts(supervisor_train=1, pool=1, validation=1, test=1)
    task = MicroworldTask(MicroworldConfig(mix="natural", questions=counts))
    example = next(iter_examples(task.examples("pool")))
    first, second = example.choices[:2]
    assert _read(task, example, f"<think>{first}, or not?</think>{second}") == second
    assert _read(task, example, f"<think>{first}") is None
    assert _read(task, example, first) == first


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("So 3 + 4 = 7. The answer is 7. Then we", "So 3 + 4 = 7. The answer is 7."),
        ("The answer is 7\nThe answer is 8", "The answer is 7\n"),
        (r"thus \boxed{5} and so", r"thus \boxed{5}"),
        ("#### 12\nQ: next", "#### 12\n"),
        ("5\n5\n5", "5"),  # it loops behind its answer
        ("She buys 3 and 4 apples, 7 in all, and", None),
        ("There are 15 trees in the park now.\nThen 21 - 15 = 6, so", None),
        ("The answer is 12", None),  # of 120, or 12.5
        ("#### 12", None),
        (r"thus \boxed{5", None),
        (r"thus \boxed 5", None),
        ("", None),
    ],
)
def test_of_a_worked_text_that_was_cut_off_only_what_it_states_counts(text, said):
    assert before_cut(text, choice=False) == said


@pytest.mark.parametrize(
    ("text", "option"),
    [
        ("B", 1),  # one token was asked for
        ("B. Paris is the", 1),
        ("(B) because", 1),
        ("The answer is B.", 1),
        ("The answer is A", None),  # A what?
        ("B\nA is about", 1),
        ("Let me think about each of these: Option", None),
        ("The first is about a dog, and B", None),
    ],
)
def test_of_a_choice_that_was_cut_off_only_what_it_states_counts(text, option):
    said = before_cut(text, choice=True)
    assert (None if said is None else read_letter(said, 4)) == option


def test_a_reply_that_was_cut_off_is_read_as_such(tmp_path):
    (tmp_path / "q.csv").write_text("text,label\n3 + 4?,7\n1 + 1?,2\n2 + 3?,5\n")
    splits = {"pool": 1, "validation": 1, "test": 1}
    config = TableConfig(path="q.csv", text="text", label="label", answer="number", splits=splits)
    task = TableTask(config, data_dir=tmp_path)
    query = Query(Example("q", "q", "3 + 4?"), 0, Wording("3 + 4?"))
    whole = "3 + 4 = 7 #### 7"
    assert query.read(task, whole) == query.read(task, whole, "stop") == "7"
    assert query.read(task, whole, "length") is None
    assert query.read(task, whole + "\n3 +", "length") == "7"
    assert query.read(task, "<think>#### 7\nhm", "length") is None

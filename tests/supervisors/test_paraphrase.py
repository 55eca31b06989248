"""Paraphrases: which texts can stand for a question."""

import pytest

from outgrow.core.tables import Example
from outgrow.supervisors.paraphrase import ParaphraseTask, usable
from outgrow.tasks import load
from outgrow.tasks.base import Task, Wording

QUESTION = Example("q", "q", "Ann has 12 apples and gives away 3. How many are left?")


@pytest.fixture(scope="module")
def task():
    questions = {"supervisor_train": 2, "pool": 2, "validation": 2, "test": 2}
    return ParaphraseTask(load("microworld", family="sums", mix="sums", questions=questions))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Of 12 apples Ann gives 3 to others. What remains?", "Of 12 apples Ann gives 3 to others. What remains?"),
        ('New question: "Ann gave 3 of her 12 apples away; how many has she?"',
         "Ann gave 3 of her 12 apples away; how many has she?"),
        ("", None),
        ("   ", None),
        ("ann has 12 apples and  gives away 3. how many are left?", None),  # the question itself
        ("Ann has a dozen apples and gives away 3. How many are left?", None),  # a number is gone
        ("Ann has 12 apples and gives away 3 and 4. How many are left?", None),  # a number is new
        ("12 and 3?", None),  # too short to say the same
        (QUESTION.question * 4, None),
    ],
)  # fmt: skip
def test_a_paraphrase_says_something_else_with_the_same_numbers(task, text, said):
    assert task.extract(text, QUESTION, Wording("")) == said


def test_a_line_with_a_name_of_its_own_is_what_is_judged_and_has_to_stay(task):
    judged = Example("c", "c", "Which tool bores holes?\nProposed answer: the awl")
    assert task.extract("What tool makes holes?\nProposed answer: the awl", judged, Wording("")) is not None
    assert task.extract("What tool makes holes? Is it the hammer?", judged, Wording("")) is None


def test_the_model_is_shown_the_question_and_braces_in_it_stay_as_they_are(task):
    assert isinstance(task, Task)
    odd = Example("o", "o", "What is {x} of {question}?")
    assert "What is {x} of {question}?" in task.wording(odd, 0).prompt


def test_usable_paraphrases_are_different_ones_in_the_order_of_samples():
    rows = [
        {"example_id": "a", "sample": 2, "value": "Third?"},
        {"example_id": "a", "sample": 0, "value": "First?"},
        {"example_id": "a", "sample": 1, "value": "FIRST?"},
        {"example_id": "b", "sample": 0, "value": None},
    ]
    assert usable(rows) == {"a": ["First?", "Third?"], "b": []}

"""Reasoning is no answer."""

import pytest

from outgrow.core.tables import iter_examples
from outgrow.supervisors.file import _read
from outgrow.tasks.microworld.task import Counts, MicroworldConfig, MicroworldTask
from outgrow.tasks.parsing import final_number, read_letter
from outgrow.tasks.parsing.reasoning import after_reasoning


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

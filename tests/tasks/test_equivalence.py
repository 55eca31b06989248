"""Answers that are written otherwise than gold: right where the task says that they are the same."""

import pyarrow as pa

from outgrow.tasks.equivalence import in_form_of, same_as
from outgrow.tasks.microworld.task import MicroworldConfig, MicroworldTask
from outgrow.tasks.parsing import canonicalise_answers


class Halves(MicroworldTask):
    """A task in which ".5" and "1/2" are one number; only `canonicalise` is asked for."""

    def __init__(self):
        super().__init__(MicroworldConfig())

    def canonicalise(self, answers):
        return canonicalise_answers(answers, lambda a, b: {a, b} <= {"1/2", ".5"})


GOLD = {"q": "1/2", "r": ".5", "s": "7"}
IDS = ["q", "q", "r", "r", "s", "s", "q"]
SAID = [".5", "1/2", "1/2", "2", "7", ".5", None]


def test_what_the_task_calls_equal_is_right_and_what_could_not_be_parsed_is_not():
    assert same_as(Halves(), GOLD, IDS, SAID) == [True, True, True, False, True, False, False]


def test_right_answers_get_golds_form_and_wrong_ones_keep_theirs():
    table = pa.table({"n": list(range(7)), "example_id": IDS, "value": SAID})
    found = in_form_of(Halves(), GOLD, table)
    assert found["value"].to_pylist() == ["1/2", "1/2", ".5", "2", "7", ".5", None]
    assert found["n"].to_pylist() == list(range(7))
    assert found.column_names == ["n", "example_id", "value"]


def test_nothing_to_compare_is_nothing_to_judge():
    assert same_as(Halves(), GOLD, [], []) == []
    assert same_as(Halves(), GOLD, ["s"], ["7"]) == [True]

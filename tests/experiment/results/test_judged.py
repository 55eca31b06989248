"""What metrics of slots judge: texts of answers in their order, and gold in the order of its worked answer."""

import json

import pytest

from outgrow.core.tables import ANSWERS, build
from outgrow.experiment.results.judged import Judged, slots_behind
from outgrow.tasks.parsing import read_slots


def listed(*pairs):
    return json.dumps([{"filler": f, "type": t} for t, f in pairs], separators=(",", ":"))


TEN_NINE = listed(("time", "ten"), ("time", "nine"), ("time", "ten"))
VALUE = read_slots(TEN_NINE)


def answers_of(*rows):
    columns = zip(*rows, strict=True)
    names = ("example_id", "value", "text", "finish_reason")
    rest = {"source": ["m"] * len(rows), "variant": [0] * len(rows), "sample": list(range(len(rows)))}
    return build(ANSWERS, {**dict(zip(names, map(list, columns), strict=True)), **rest})


def test_slots_are_those_of_the_first_text_that_gave_the_value():
    answers = answers_of(
        ("p", "[]", "[]", "stop"),
        ("p", VALUE, TEN_NINE, "stop"),
        ("p", VALUE, VALUE, "stop"),
        ("q", VALUE, f"<think>[]</think>So: {TEN_NINE}", "stop"),
        ("r", None, '[{"type": "time", "fil', "length"),
    )
    found = slots_behind({"p": VALUE, "q": VALUE, "r": None}, answers)
    assert found == {"p": TEN_NINE, "q": TEN_NINE}


def test_of_a_text_that_was_cut_off_what_its_value_was_read_from_counts():
    # the first line of up to three words is complete; what is behind it was cut off
    answers = answers_of(("p", "[]", f'[]\n{TEN_NINE} [{{"type": "t', "length"))
    assert slots_behind({"p": "[]"}, answers) == {"p": "[]"}


def test_a_label_without_a_text_stands_for_itself():
    answers = answers_of(("p", VALUE, None, None))
    assert slots_behind({"p": VALUE, "q": VALUE, "r": "moss"}, answers) == {"p": VALUE, "q": VALUE, "r": None}


def test_f1_of_types_is_that_of_all_seeds_together():
    gold = {"p": listed(("time", "ten"), ("day", "may")), "q": listed(("time", "nine"))}
    right, half = dict(gold), {"p": listed(("time", "ten"), ("place", "cave"))}
    judged = Judged({"floor": [half, right], "zero_shot": [{}, {}]}, gold)
    # time: 1 + 2 hits of 2 x 2 in gold and 1 + 2 predicted; day: 0 + 1 of 2 x 1 and 0 + 1
    assert judged.of_types(["p", "q"]) == [
        {"type": "time", "gold": 2, "f1": {"floor": pytest.approx(6 / 7), "zero_shot": 0.0}},
        {"type": "day", "gold": 1, "f1": {"floor": pytest.approx(2 / 3), "zero_shot": 0.0}},
    ]

"""Short answers in free words, and slots as JSON."""

import json
from pathlib import Path

import pytest

from outgrow.tasks.parsing import normalise_answer, read_slots, slots_in_order

SHARED = Path(__file__).parents[3] / ".." / "shared" / "data"


@pytest.mark.parametrize(
    ("form", "texts"),
    [
        ("eiffel tower", ["Eiffel Tower", "the Eiffel Tower.", " eiffel  tower!", '"The Eiffel Tower"',
                          "THE EIFFEL-TOWER"]),
        ("us", ["US", "U.S.", "the U.S."]),
        ("dont", ["don't", "Don’t", "dont"]),
        ("1000", ["1000", "1,000", "1,000."]),
        ("0.5", ["0.5", ".5", "０.５"]),
        ("-5", ["-5", "−5", "(-5)"]),
        ("2 1/2", ["2½", "2 1/2"]),
        ("strasse", ["Straße", "STRASSE"]),
        ("vitamin a", ["vitamin A", "Vitamin A."]),
        ("the", ["The", "the."]),
        ("!", ["!", " ! "]),
    ],
)  # fmt: skip
def test_variants_of_an_answer_have_one_form(form, texts):
    assert {normalise_answer(text) for text in texts} == {form}


@pytest.mark.parametrize(
    ("a", "b"),
    [("3.5", "35"), ("-5", "5"), ("C#", "C"), ("C++", "C"), ("5%", "5"), ("1/2", "12"), ("10:30", "1030"), ("½", "12"),
     ("x²", "x2"), ("A-B", "B"), ("vitamin A", "vitamin"), ("!", "?"), ("$5", "5")],
)  # fmt: skip
def test_different_answers_keep_different_forms(a, b):
    assert normalise_answer(a) != normalise_answer(b)


@pytest.mark.parametrize("text", ["", " ", "\n\t\u00a0"])
def test_only_nothing_becomes_nothing(text):
    assert normalise_answer(text) is None


MEETING = '[{"filler":"meeting","type":"event_name"},{"filler":"pawel","type":"person"}]'


@pytest.mark.parametrize(
    "text",
    [
        '[{"type": "event_name", "filler": "meeting"}, {"type": "person", "filler": "pawel"}]',
        '[{"filler": " Pawel ", "type": "PERSON"}, {"type": "event name", "filler": "meeting"}]',
        '{"event_name": "meeting", "person": "pawel"}',
        '{"slots": {"person": ["pawel", "Pawel"], "event-name": ["meeting"]}}',
        '{"slots": [{"type": "person", "filler": "pawel"}, {"type": "event_name", "filler": "meeting"}]}',
        'The slots are:\n```json\n[{"type": "event_name", "filler": "meeting"},\n '
        '{"type": "person", "filler": "pawel"}]\n```',
        'For example {"date": "today"}; here {"event_name": "meeting", "person": "pawel", "date": null, "time": ""}.',
        '[see] {"event_name": "meeting", "person": "pawel"} {"broken": ',
        '[{"event_name": "meeting"}, {"person": "pawel"}]',
    ],
)  # fmt: skip
def test_variants_of_slots_have_one_form(text):
    assert read_slots(text) == MEETING


def test_two_slots_of_one_type_and_numbers():
    assert read_slots('{"date": "b", "date": "a"}') == '[{"filler":"a","type":"date"},{"filler":"b","type":"date"}]'
    assert read_slots('{"n": 10}') == read_slots('{"n": "10"}') == '[{"filler":"10","type":"n"}]'
    assert read_slots('{"type": "alarm"}') == '[{"filler":"alarm","type":"type"}]'


def pairs_of(text):
    return [(slot["type"], slot["filler"]) for slot in json.loads(slots_in_order(text))]


def test_slots_in_order_keep_order_and_repeats():
    listed = '[{"type": "time", "filler": "Ten"}, {"type": "date", "filler": "may"}, {"type": "time", "filler": "ten"}]'
    assert pairs_of(f"So: {listed}") == [("time", "ten"), ("date", "may"), ("time", "ten")]
    assert pairs_of('{"time": ["ten", "nine"], "date": "may", "time": "ten"}') == [
        ("time", "ten"), ("time", "nine"), ("date", "may"), ("time", "ten"),
    ]  # fmt: skip
    assert slots_in_order("[]") == "[]"
    assert slots_in_order('{"time": "te') is None


@pytest.mark.parametrize(
    "end", ['"}', '"}, ', '"}, {"ty', '"}, {"type": "date"', '"}, {"type": "date", "filler": "fri', '"}, {"type": ']
)
def test_of_a_list_that_was_cut_off_nothing_is_read(end):
    listed = f'[{{"type": "time", "filler": "ten{end}'
    assert read_slots(listed) is None
    assert read_slots(f'{{"slots": {listed}') is None
    assert read_slots(f'{{"day": "may"}} {listed}') == '[{"filler":"may","type":"day"}]'


def test_fillers_of_one_type_are_joined_in_an_object_of_types_alone():
    assert pairs_of('{"time": "ten  & nine", "date": "may"}') == [("time", "ten"), ("time", "nine"), ("date", "may")]
    assert pairs_of('{"business": "At&T"}') == [("business", "at&t")]
    assert pairs_of('[{"type": "artist", "filler": "Simon & Garfunkel"}]') == [("artist", "simon & garfunkel")]
    assert read_slots('{"time": "ten & nine"}') == read_slots('{"time": ["nine", "ten", "nine"]}')


def test_no_slots_and_nothing_to_read_are_told_apart():
    assert read_slots("[]") == read_slots("{}") == read_slots('{"slots": []}') == "[]"
    for text in (
        "",
        "none",
        "[1, 2]",
        '{"a": {"b": "c"}}',
        '["person"]',
        '{"": "x"}',
        '{"a": NaN}',
        '{"a": "b"',
        "[" * 60_000,
    ):
        assert read_slots(text) is None


@pytest.mark.skipif(not (SHARED / "slurp_test.jsonl").exists(), reason="the SLURP files are not in ../shared/data")
def test_all_slots_of_slurp_survive_the_round_trip():
    lines = (SHARED / "slurp_test.jsonl").read_text(encoding="utf-8").splitlines()
    for row in map(json.loads, lines):
        form = read_slots(json.dumps(row["slots"]))
        assert form is not None
        assert {(s["type"], s["filler"]) for s in json.loads(form)} == {
            (s["type"], s["filler"].lower()) for s in row["slots"]
        }
        assert read_slots(f"Slots: {form}") == form

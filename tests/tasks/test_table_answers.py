"""Tables of the user's own with free answers, own ids, or no gold at all."""

import json

import pytest

from outgrow.core.errors import ConfigError, DataError
from outgrow.core.tables import iter_examples
from outgrow.experiment.label import label
from outgrow.recipe.recipe import parse_recipe
from outgrow.tasks import load
from outgrow.tasks.base import Wording


@pytest.fixture
def table(tmp_path):
    def make(rows, **options):
        path = tmp_path / "data.jsonl"
        path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        return load("table", path="data.jsonl", data_dir=tmp_path, text="q", **options)

    return make


SHARES = {"supervisor_train": 2, "validation": 1, "test": 1, "pool": "rest"}


def test_questions_without_gold_are_all_pool_and_have_options_to_choose_from(table):
    task = table([{"q": f"item {i}"} for i in range(4)], classes=["good", "bad"])
    assert task.splits == ("pool",)
    assert task.gold("pool").num_rows == 0
    example = next(iter(iter_examples(task.examples("pool"))))
    assert task.wording(example, 0).prompt == "item 0\n- good\n- bad\nAnswer:"
    assert task.wording(example, 1).values == ("bad", "good")
    assert task.classes == ("good", "bad")


def test_ones_own_ids_name_the_questions(table):
    task = table([{"q": "a", "n": 7}, {"q": "b", "n": 8}], classes=["x", "y"], id="n")
    assert task.examples("pool")["example_id"].to_pylist() == ["7", "8"]


def test_under_ones_own_ids_the_fingerprint_follows_the_questions_themselves(table):
    def made(question="Which Tool?", option="saw", **options):
        rows = [{"q": question, "n": "one", "c": ["awl", option]}]
        return table(rows, choices="c", id="n", **options).fingerprint()

    assert made() == made()
    assert len({made(), made("Which tool?"), made(option="axe"), made(max_new_tokens=3)}) == 4


def test_an_id_that_stands_twice_is_told_with_both_places(table):
    rows = [{"q": "a", "n": 7}, {"q": "b", "n": 8}, {"q": "c", "n": 7}]
    message = r"data.jsonl, line 3, column 'n': the id '7' stands at .*data.jsonl, line 1 already"
    with pytest.raises(DataError, match=message):
        table(rows, classes=["x", "y"], id="n")


def test_numbers_are_read_from_gold_and_from_what_is_said(table):
    rows = [{"q": f"price {i}?", "a": f"${1000 + i:,}.00"} for i in range(8)]
    task = table(rows, label="a", answer="number", splits=SHARES)
    golds = {v for split in task.splits for v in task.gold(split)["value"].to_pylist()}
    assert golds == {str(1000 + i) for i in range(8)}
    example = next(iter(iter_examples(task.examples("pool"))))
    wording = task.wording(example, 0)
    assert (wording.options, task.classes) == (None, None)
    assert task.extract("It was 900, plus tax: 1,003 dollars.", example, wording) == "1003"
    assert task.extract("no idea", example, wording) is None


def test_free_text_is_one_answer_whatever_its_dress(table):
    task = table([{"q": "who?", "a": "The Hague"}] + [{"q": f"{i}?", "a": str(i)} for i in range(7)],
                 label="a", answer="text", splits=SHARES)  # fmt: skip
    example = next(iter(iter_examples(task.examples("pool"))))
    said = {task.extract(text, example, Wording("")) for text in ("The Hague", "the hague.", " Hague\nIn Holland")}
    assert said == {"hague"}
    assert "hague" in {v for split in task.splits for v in task.gold(split)["value"].to_pylist()}


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({}, "without a label column the possible answers are not known; give classes or choices"),
        ({"answer": "text", "letters": True}, "answer: text has no options; leave choices, classes and letters out"),
        ({"classes": ["x", "y"], "splits": {"pool": "rest", "test": 1}}, "split 'test' needs gold, but there is no"),
    ],
)
def test_settings_that_contradict_each_other_are_told(table, options, message):
    with pytest.raises(ConfigError, match=message):
        table([{"q": "a"}], **options)


def test_gold_that_is_no_number_is_told_with_its_place(table):
    with pytest.raises(DataError, match=r"data.jsonl, line 1, column 'a': the gold 'many' cannot be read as a number"):
        table([{"q": "a", "a": "many"}], label="a", answer="number")


def test_an_experiment_needs_gold_and_says_what_to_do_instead(tmp_path):
    (tmp_path / "data.jsonl").write_text('{"q": "a"}\n{"q": "b"}\n')
    raw = {
        "task": {"kind": "table", "path": "data.jsonl", "text": "q", "classes": ["x", "y"]},
        "supervisors": [{"model": "microworld/mini", "train": None}],
        "data_dir": str(tmp_path),
    }
    recipe = parse_recipe({**raw, "student": {"model": "microworld/base"}, "methods": ["naive"]})
    with pytest.raises(ConfigError, match=r"no questions in validation, test; an experiment needs them.*outgrow label"):
        recipe.build_task()
    answers = label(raw, store=tmp_path / "store").answers
    assert answers.num_rows == 2 * 2  # two questions, two orders of the options
    assert set(answers["value"].to_pylist()) <= {"x", "y"}


def test_a_file_of_answers_names_questions_by_their_own_ids(tmp_path):
    (tmp_path / "data.csv").write_text("n,q\nr1,first\nr2,second\n")
    (tmp_path / "said.csv").write_text("task,worker,label\nr1,ann,x\nr1,bob,y\nr2,ann,y\n")
    raw = {
        "task": {"kind": "table", "path": "data.csv", "text": "q", "id": "n", "classes": ["x", "y"]},
        "supervisors": [{"kind": "file", "path": "said.csv", "together": True}],
        "data_dir": str(tmp_path),
    }
    answers = label(raw, store=tmp_path / "store").answers
    assert answers.select(["example_id", "value", "sample"]).to_pylist() == [
        {"example_id": "r1", "value": "x", "sample": 0},
        {"example_id": "r1", "value": "y", "sample": 1},
        {"example_id": "r2", "value": "y", "sample": 0},
    ]

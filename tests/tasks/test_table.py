"""Task `table`: the user's own files, in splits, in words, and with every fault named by file and line."""

import json
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from outgrow import tasks
from outgrow.core.errors import ConfigError, DataError
from outgrow.core.tables import Example, iter_examples
from outgrow.tasks.base import Task
from outgrow.tasks.splits import overlap
from outgrow.tasks.table import option_order

SPLITS = ("supervisor_train", "pool", "validation", "test")


def rows(n, classes=("alarm", "music")):
    return [{"sentence": f"command number {i}", "intent": classes[i % len(classes)]} for i in range(n)]


def write_jsonl(path, data):
    path.write_text("".join(json.dumps(row) + "\n" for row in data), encoding="utf-8")


@pytest.fixture
def make(tmp_path):
    """A task over data.jsonl in a fresh folder; options may be overridden."""

    def make(data=None, **options):
        if data is not None:
            write_jsonl(tmp_path / "data.jsonl", data)
        given = {"text": "sentence", "label": "intent", **options}
        if "path" not in given and "files" not in given:
            given["path"] = "data.jsonl"
        return tasks.load("table", data_dir=tmp_path, **{k: v for k, v in given.items() if v is not None})

    return make


def questions(task, split):
    return task.examples(split)["question"].to_pylist()


def sizes(task):
    return {split: task.examples(split).num_rows for split in SPLITS}


# Splits ---------------------------------------------------------------------------------------------------------


def test_one_file_is_cut_into_the_default_shares(make):
    task = make(rows(50))
    # 20 %, 10 % and 20 % of 50; the rest is the pool
    assert sizes(task) == {"supervisor_train": 10, "validation": 5, "test": 10, "pool": 25}
    assert task.audit.unassigned == 0
    assert isinstance(task, Task)


def test_counts_shares_and_the_rest_go_together(make):
    task = make(rows(40), splits={"supervisor_train": 7, "validation": 0.1, "pool": "rest", "test": {"share": 0.25}})
    assert sizes(task) == {"supervisor_train": 7, "validation": 4, "test": 10, "pool": 19}


def test_two_files_with_counts_from_one_of_them(make, tmp_path):
    write_jsonl(tmp_path / "devel.jsonl", rows(30))
    write_jsonl(tmp_path / "test.jsonl", [{"sentence": f"test {i}", "intent": "alarm"} for i in range(8)])
    task = make(
        files={"devel": "devel.jsonl", "test": "test.jsonl"},
        splits={
            "supervisor_train": {"file": "devel", "count": 10},
            "validation": {"file": "devel", "count": 5},
            "pool": {"file": "devel", "rest": True},
            "test": {"file": "test"},
        },
    )
    assert sizes(task) == {"supervisor_train": 10, "validation": 5, "pool": 15, "test": 8}
    assert all(q.startswith("test ") for q in questions(task, "test"))


def test_files_named_like_splits_need_no_more_words(make, tmp_path):
    files = {}
    for number, split in enumerate(SPLITS):
        write_jsonl(
            tmp_path / f"{split}.jsonl",
            [{"sentence": f"{split} {i}", "intent": "ab"[i % 2]} for i in range(number + 2)],
        )
        files[split] = f"{split}.jsonl"
    assert sizes(make(files=files)) == {"supervisor_train": 2, "pool": 3, "validation": 4, "test": 5}


def test_the_same_options_give_the_same_splits_whatever_the_row_order(make):
    forward = {split: set(questions(make(rows(30)), split)) for split in SPLITS}
    backward = {split: set(questions(make(rows(30)[::-1]), split)) for split in SPLITS}
    other_seed = {split: set(questions(make(rows(30), seed=1), split)) for split in SPLITS}
    assert forward == backward != other_seed


def test_declared_groups_and_equal_texts_never_straddle_splits(make):
    data = [{"sentence": f"turn {i} of talk {i // 4}", "intent": "ab"[i % 2], "talk": i // 4} for i in range(80)]
    data.append({"sentence": "TURN 0  of talk 0", "intent": "a", "talk": 19})  # joins talks 0 and 19 by its text
    task = make(data, group="talk")
    where = {g: split for split in SPLITS for g in task.examples(split)["group_id"].to_pylist()}
    for split in SPLITS:
        assert all(where[g] == split for g in task.examples(split)["group_id"].to_pylist())
    talks = {split: {q.split()[-1] for q in questions(task, split)} for split in SPLITS}
    assert sum("0" in own for own in talks.values()) == 1
    assert next(s for s in SPLITS if "0" in talks[s]) == next(s for s in SPLITS if "19" in talks[s])
    assert len(where) == 19  # 20 talks, two of them joined
    assert set(overlap({split: task.examples(split) for split in SPLITS}).values()) == {0}


def test_an_equal_question_is_kept_once_and_counted(make):
    task = make([*rows(20), {"sentence": " Command NUMBER 3", "intent": "music"}])
    assert sum(sizes(task).values()) == 20
    assert (task.audit.rows, task.audit.duplicates, task.audit.contradictory_gold) == (21, 1, 0)


def test_contradictory_gold_is_counted_and_the_most_frequent_one_kept(make):
    twice = [{"sentence": "Command number 3", "intent": "alarm"}] * 2  # the original says "music"
    task = make([*rows(20), *twice])
    assert (task.audit.contradictory_gold, task.audit.duplicates) == (1, 2)
    gold = {}
    for split in SPLITS:
        gold |= dict(zip(questions(task, split), task.gold(split)["value"].to_pylist(), strict=True))
    assert gold["Command number 3"] == "alarm"
    assert "command number 3" not in gold


def test_a_question_that_also_occurs_in_the_test_file_leaves_the_training_side(make, tmp_path):
    write_jsonl(tmp_path / "devel.jsonl", rows(30))
    write_jsonl(tmp_path / "test.jsonl", [{"sentence": "COMMAND number 4", "intent": "alarm"}, *rows(2)])
    task = make(files={"devel": "devel.jsonl", "test": "test.jsonl"}, splits={
        "supervisor_train": {"file": "devel", "count": 10}, "validation": {"file": "devel", "count": 5},
        "pool": {"file": "devel"}, "test": {"file": "test"},
    })  # fmt: skip
    assert task.audit.shared_between_files == 3
    assert sizes(task) == {"supervisor_train": 10, "validation": 5, "pool": 12, "test": 3}


def test_groups_too_large_for_any_split_are_left_out_and_counted(make):
    data = [{**row, "g": i % 4} for i, row in enumerate(rows(40))]  # four groups of ten
    task = make(data, group="g", splits={"pool": 10, "validation": 10, "test": 12})
    assert task.audit.unassigned == 10


# Tables ---------------------------------------------------------------------------------------------------------


def test_examples_hide_the_label_and_ids_do_not_depend_on_it(make):
    def flipped(row):
        return {**row, "intent": {"alarm": "music", "music": "alarm"}[row["intent"]]}

    task, other = make(rows(20)), make([flipped(row) for row in rows(20)])
    assert task.examples("pool").equals(other.examples("pool"))
    assert task.gold("pool")["value"].to_pylist() != other.gold("pool")["value"].to_pylist()
    assert task.gold("pool")["objective"].to_pylist() == ["truth"] * 10
    assert task.public_meta == ()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_csv_and_parquet_give_the_same_task_as_json_lines(make, tmp_path, suffix):
    data = rows(20)
    table = pa.Table.from_pylist(data)
    if suffix == "csv":
        text = "sentence,intent\n" + "".join(f"{row['sentence']},{row['intent']}\n" for row in data)
        (tmp_path / "data.csv").write_text(text)
    else:
        pq.write_table(table, tmp_path / "data.parquet")
    assert make(path=f"data.{suffix}").fingerprint() == make(data).fingerprint()


def test_the_fingerprint_follows_content_and_wordings_only(make):
    base = make(rows(20)).fingerprint()
    assert make([{**row, "unused": 1} for row in rows(20)]).fingerprint() == base
    assert make(rows(20), prompts=["Say: {text}"]).fingerprint() != base
    assert make(rows(20), seed=1).fingerprint() != base
    assert make(rows(20), classes={"alarm": "an alarm", "music": "music"}).fingerprint() != base


def test_numbers_as_labels_become_class_names(make):
    task = make([{"sentence": f"s{i}", "intent": i % 3} for i in range(30)])
    assert task.classes == ("0", "1", "2")


def test_the_stratum_is_kept_in_sealed_meta(make):
    task = make([{**row, "kind": "x"} for row in rows(20)], stratum="kind")
    assert next(iter_examples(task.examples("pool"))).meta == {"stratum": "x"}


def test_several_text_columns_are_joined_by_line(make):
    data = [{"premise": f"p{i}", "claim": f"c{i}", "intent": "ab"[i % 2]} for i in range(20)]
    task = make(data, text=["premise", "claim"])
    assert "p0\nc0" in {q for split in SPLITS for q in questions(task, split)}


def test_a_split_that_is_not_asked_for_is_empty(make):
    task = make(rows(20), splits={"pool": "rest", "validation": 3, "test": 3})
    assert task.examples("supervisor_train").num_rows == 0
    assert task.gold("known").num_rows == 0


# Words ----------------------------------------------------------------------------------------------------------


def test_the_default_wording_is_the_text_with_the_classes_as_options(make):
    task = make(rows(20))
    example = Example("e", "g", "wake me", None)
    wording = task.wording(example, 0)
    assert (wording.prompt, wording.options, wording.values) == ("wake me", ("alarm", "music"), ("alarm", "music"))
    assert (wording.kind, task.n_variants) == ("identity", 1)
    with pytest.raises(ConfigError, match="variant 1 asked of data, which has 1 wordings"):
        task.wording(example, 1)


def test_instruction_wordings_and_class_words(make):
    task = make(
        rows(20),
        prompts=["{text} =>", "Command: {text}\nKind:"],
        classes={"music": "play music", "alarm": "set an alarm"},
    )
    wording = task.wording(Example("e", "g", "a {options} b", None), 1)
    assert wording.prompt == "Command: a {options} b\nKind:"  # braces in a question are left alone
    assert wording.options == ("play music", "set an alarm")
    assert wording.say("alarm") == "set an alarm"
    assert (wording.kind, task.n_variants, task.classes) == ("instruction", 2, ("music", "alarm"))


def test_option_orders_put_every_option_into_every_place():
    first = [option_order(4, i) for i in range(4)]
    assert first == [(0, 1, 2, 3), (1, 2, 3, 0), (2, 3, 0, 1), (3, 0, 1, 2)]
    second = [option_order(4, i) for i in range(4, 8)]
    assert all(sorted(column) == [0, 1, 2, 3] for column in zip(*second, strict=True))
    assert len({*first, *second}) == 8
    assert [option_order(2, i) for i in range(2)] == [(0, 1), (1, 0)]


def multiple_choice(n):
    return [{"sentence": f"which of {i}", "options": [f"a{i}", f"b{i}", f"c{i}"], "intent": f"b{i}"} for i in range(n)]


def test_choices_are_listed_and_permuted(make):
    task = make(multiple_choice(20), choices="options")
    example = Example("e", "g", "which", ("x", "y", "z"))
    assert task.classes is None
    assert task.n_variants == 6
    assert task.wording(example, 0).prompt == "which\n- x\n- y\n- z\nAnswer:"
    moved = task.wording(example, 1)
    assert (moved.values, moved.permutation, moved.kind) == (("y", "z", "x"), (1, 2, 0), "permutation")


def test_choices_by_letter(make):
    task = make(multiple_choice(20), choices="options", letters=True)
    wording = task.wording(Example("e", "g", "which", ("x", "y", "z")), 1)
    assert wording.prompt == "which\nA. y\nB. z\nC. x\nAnswer:"
    assert wording.say("x") == "C"
    assert task.extract("B. z", Example("e", "g", "which", ("x", "y", "z")), wording) == "z"
    assert task.extract("Because", Example("e", "g", "which", ("x", "y", "z")), wording) is None


@pytest.mark.parametrize(("label_as", "label"), [("index", 1), ("letter", "B"), ("letter", "b")])
def test_gold_can_be_an_index_or_a_letter(make, label_as, label):
    data = [{**row, "intent": label} for row in multiple_choice(20)]
    task = make(data, choices="options", label_as=label_as)
    for example, gold in zip(iter_examples(task.examples("pool")), task.gold("pool")["value"].to_pylist(), strict=True):
        assert gold == example.choices[1]


def test_choices_can_stand_in_a_column_each(make):
    data = [{"sentence": f"q{i}", "A": "yes", "B": "no", "C": None, "intent": "no"} for i in range(20)]
    task = make(data, choices=["A", "B", "C"])
    assert next(iter_examples(task.examples("pool"))).choices == ("yes", "no")


def test_generated_answers_are_parsed(make):
    task = make(rows(20))
    example = Example("e", "g", "wake me", None)
    wording = task.wording(example, 0)
    assert task.extract(" Alarm.\nbecause", example, wording) == "alarm"
    assert task.extract("this is music", example, wording) == "music"
    assert task.extract("alarm or music", example, wording) is None
    assert task.extract("musical", example, wording) is None
    assert task.extract("", example, wording) is None


# Bad input ------------------------------------------------------------------------------------------------------


def test_a_missing_file_is_named(make):
    with pytest.raises(DataError, match=r"nowhere\.jsonl: no such file"):
        make(path="nowhere.jsonl")


def test_malformed_json_is_named_by_line(make, tmp_path):
    (tmp_path / "data.jsonl").write_text('{"sentence": "a", "intent": "x"}\n{"sentence": \n')
    with pytest.raises(DataError, match=r"data\.jsonl, line 2: malformed JSON"):
        make()


def test_a_missing_column_is_named_with_the_nearest_one(make):
    with pytest.raises(DataError, match=r"sentense.*sentence"):
        make(rows(20), text="sentense")


def test_an_empty_table_is_refused(make, tmp_path):
    (tmp_path / "data.csv").write_text("sentence,intent\n")
    with pytest.raises(DataError, match="empty"):
        make(path="data.csv")


def test_fewer_than_two_classes_are_refused(make):
    with pytest.raises(DataError, match=r"column 'intent' holds fewer than two classes: \['alarm'\]"):
        make(rows(20, classes=("alarm",)))


def test_classes_that_differ_only_in_case_are_refused(make):
    with pytest.raises(DataError, match=r"\['Alarm', 'alarm'\] differ only in case"):
        make(rows(20, classes=("alarm", "music", "Alarm")))


@pytest.mark.parametrize("empty", [None, " "])
def test_a_missing_gold_label_is_named_by_line(make, empty):
    data = rows(20)
    data[4]["intent"] = empty
    with pytest.raises(DataError, match=r"line 5, column 'intent': the gold label is empty"):
        make(data)


def test_an_empty_question_is_named_by_line(make):
    data = rows(20)
    data[2]["sentence"] = ""
    with pytest.raises(DataError, match="line 3, column 'sentence': the question is empty"):
        make(data)


def test_choices_that_lack_the_gold_are_named_by_line(make):
    data = multiple_choice(20)
    data[6]["intent"] = "elsewhere"
    with pytest.raises(DataError, match=r"line 7: the choices \['a6', 'b6', 'c6'\] lack the gold 'elsewhere'"):
        make(data, choices="options")


@pytest.mark.parametrize(("label_as", "label", "told"), [("index", 3, "0 to 2"), ("letter", "D", "A to C")])
def test_an_index_or_letter_beyond_the_choices_is_named(make, label_as, label, told):
    data = [{**row, "intent": label} for row in multiple_choice(20)]
    with pytest.raises(DataError, match=f"points at none of the 3 choices \\({told}\\)"):
        make(data, choices="options", label_as=label_as)


def test_a_question_with_one_option_or_equal_options_is_refused(make):
    data = multiple_choice(20)
    data[0]["options"] = ["b0"]
    with pytest.raises(DataError, match="line 1: a question needs two or more options"):
        make(data, choices="options")
    data[0]["options"] = ["b0", "B0 "]
    with pytest.raises(DataError, match="line 1: two options are the same"):
        make(data, choices="options")


def test_a_label_outside_the_declared_classes_is_named_by_line(make):
    with pytest.raises(DataError, match="line 2: the gold label 'music' is none of the classes"):
        make(rows(20), classes=["alarm", "weather"])


def test_letters_need_no_more_than_26_options(make):
    data = [{"sentence": f"s{i}", "intent": f"c{i % 27}"} for i in range(270)]
    with pytest.raises(DataError, match="27 options are more than there are letters"):
        make(data, letters=True, prompts=["{text} {options}"])


def test_all_faults_of_the_options_are_told_at_once(make):
    with pytest.raises(ConfigError) as caught:
        make(rows(20), lable="intent", label_as="number", seed=-1)
    told = str(caught.value)
    assert "task 'table' has 3 errors:" in told
    assert "lable: unknown key; did you mean 'label'?" in told
    assert "label_as: must be 'value', 'index' or 'letter'" in told


TWO = {"a": "a.jsonl", "b": "b.jsonl"}
FROM_B = {"validation": {"file": "b"}, "test": {"file": "b"}}
FROM_A = {split: {"file": "a"} for split in ("pool", "validation", "test")}


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"files": {"a": "a.jsonl"}, "path": "b.jsonl"}, "either path"),
        ({"files": TWO, "splits": {"pool": {"file": "aa"}, **FROM_B}}, "no file 'aa'; did you mean 'a'?"),
        ({"files": TWO, "splits": {"pool": 1, **FROM_B}}, "split 'pool' does not say which file"),
        ({"files": TWO, "splits": FROM_A}, "file 'b' is used by no split"),
        ({"splits": {"pool": "rest"}}, "split 'validation' is missing from splits; split 'test' is missing"),
        ({"splits": {"pool": {"count": 3, "rest": True}, "validation": 1, "test": 1}}, "give one of count"),
        ({"prompts": ["{txt}"]}, "unknown placeholder {txt}; did you mean 'text'?"),
        ({"prompts": ["Kind:"]}, "lacks {text}"),
        ({"choices": "options", "classes": ["a", "b"]}, "exclude each other"),
        ({"label_as": "index"}, "needs choices"),
        ({"classes": ["a", "a"]}, "two or more different"),
    ],
)  # fmt: skip
def test_options_that_contradict_each_other_are_told(make, options, told):
    with pytest.raises(ConfigError) as caught:
        make(rows(20), **options)
    assert told in str(caught.value)


# Real data ------------------------------------------------------------------------------------------------------

SHARED = Path(__file__).parents[2] / ".." / "shared" / "data"


@pytest.mark.skipif(not (SHARED / "slurp_devel.jsonl").exists(), reason="the SLURP files are not in ../shared/data")
def test_slurp_gives_eighteen_scenarios_in_four_disjoint_splits():
    task = tasks.load(
        "table",
        data_dir=SHARED,
        files={"devel": "slurp_devel.jsonl", "test": "slurp_test.jsonl"},
        text="sentence",
        label="scenario",
        splits={
            "supervisor_train": {"file": "devel", "count": 200},
            "validation": {"file": "devel", "count": 300},
            "pool": {"file": "devel"},
            "test": {"file": "test"},
        },
    )
    # 2,033 and 2,974 rows, one sentence of each file stands twice
    assert sizes(task) == {"supervisor_train": 200, "validation": 300, "pool": 1532, "test": 2973}
    assert len(task.classes) == 18
    assert task.audit.duplicates == 2
    assert set(overlap({split: task.examples(split) for split in SPLITS}).values()) == {0}

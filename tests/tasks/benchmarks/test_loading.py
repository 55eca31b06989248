"""Where rows come from: layouts and formats, the hub's library, unexpected numbers, and every kind of bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from benchmark_sets import MADE, amazon, boolq, commonsense, gsm8k, hellaswag, keyed, mmlu, rows, write

from outgrow import tasks
from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
from outgrow.core.tables import iter_examples


def golds(task):
    """Question -> gold of all splits."""
    found = {}
    for split in task.splits:
        texts, values = task.examples(split)["question"].to_pylist(), task.gold(split)["value"].to_pylist()
        found |= dict(zip(texts, values, strict=True))
    return found


# Formats and layouts ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "names",
    [
        ("gsm8k_train.jsonl", "gsm8k_test.jsonl"),
        ("main/train-00000-of-00001.parquet", "main/test-00000-of-00001.parquet"),
        ("main/train/0000.parquet", "main/test/0000.parquet"),
        ("train.csv", "test.csv"),
        ("train.json", "test.json"),
        ("grade_school_math/data/train.jsonl", "grade_school_math/data/test.jsonl"),
    ],
)
def test_every_layout_and_format_gives_the_same_task(load, tmp_path, names):
    for name, own in zip(names, (rows(gsm8k, 0, 12), rows(gsm8k, 12, 20)), strict=True):
        write(tmp_path / name, own)
    write(tmp_path / "slurp_test.jsonl" if "gsm8k" in names[0] else tmp_path / "notes.jsonl", [{"sentence": "x"}])
    assert tasks.load("gsm8k", path=str(tmp_path)).fingerprint() == load("gsm8k").fingerprint()


def test_files_may_be_named_one_by_one_and_relative_to_the_data_folder(load, tmp_path):
    write(tmp_path / "mine" / "a.jsonl", rows(gsm8k, 0, 12))
    write(tmp_path / "mine" / "b.jsonl", rows(gsm8k, 12, 20))
    task = tasks.load("gsm8k", data_dir=tmp_path, files={"train": "mine/a.jsonl", "test": "mine/b.jsonl"})
    assert task.fingerprint() == load("gsm8k").fingerprint()
    below = tasks.load("gsm8k", data_dir=tmp_path, path="mine", files={"train": "a.jsonl", "test": "b.jsonl"})
    assert below.fingerprint() == load("gsm8k").fingerprint()


def test_mmlus_original_files_have_no_header_and_name_the_subject(tmp_path):
    for split, start, stop in (("dev", 0, 4), ("val", 4, 14), ("test", 14, 20)):
        for number, subject in enumerate(("tool_lore", "craft")):
            own = [row for row in rows(mmlu, start, stop) if row["subject"] == subject]
            plain = [
                {
                    "question": r["question"],
                    **dict(zip("ABCD", r["choices"], strict=True)),
                    "answer": "ABCD"[r["answer"]],
                }
                for r in own
            ]
            write(tmp_path / "original" / split / f"{subject}_{split}.csv", plain, header=False)
            assert len(own) == (stop - start) // 2, number
    MADE["mmlu"].write(tmp_path / "hub")
    original, hub = (tasks.load("mmlu", path=str(tmp_path / name)) for name in ("original", "hub"))
    assert golds(original) == golds(hub)
    assert original.fingerprint() != hub.fingerprint()  # the files by subject come in another order
    prompts = [
        {task.wording(e, 0).prompt for split in task.splits for e in iter_examples(task.examples(split))}
        for task in (original, hub)
    ]
    assert prompts[0] == prompts[1]


def test_original_labels_of_amazon_polarity_count_from_one(load, tmp_path):
    for split, start, stop in (("train", 0, 12), ("test", 12, 20)):
        own = [
            {"label": r["label"] + 1, "title": r["title"], "content": r["content"]} for r in rows(amazon, start, stop)
        ]
        write(tmp_path / f"{split}.csv", own, header=False)
    options = MADE["amazon_polarity"].options
    assert golds(tasks.load("amazon_polarity", path=str(tmp_path), **options)) == golds(load("amazon_polarity"))


@pytest.mark.parametrize(("kind", "stem"), [("arc", "question"), ("openbookqa", "question_stem")])
def test_the_original_form_of_labelled_choices(load, tmp_path, kind, stem):
    for split, start, stop in (("train", 0, 12), ("test", 12, 20)):
        own = []
        for row in (keyed(i, "stem") for i in range(start, stop)):
            pairs = zip(row["choices"]["text"], row["choices"]["label"], strict=True)
            choices = [{"text": text, "label": label} for text, label in pairs]
            own.append(
                {"id": row["id"], "question": {"stem": row["stem"], "choices": choices}, "answerKey": row["answerKey"]}
            )
        write(tmp_path / f"{split}.jsonl", own)
    task = tasks.load(kind, path=str(tmp_path), **MADE[kind].options)
    assert golds(task) == golds(load(kind))
    assert stem in keyed(0, stem)


def test_one_file_alone_gives_all_splits_and_a_note(tmp_path):
    write(tmp_path / "ethics_commonsense_test.jsonl", rows(commonsense, 0, 20))
    task = tasks.load("ethics", path=str(tmp_path))
    assert {split: task.examples(split).num_rows for split in task.splits} == {
        "supervisor_train": 4, "validation": 2, "test": 4, "pool": 10,
    }  # fmt: skip
    assert task.audit.notes == (
        "split 'test' of ethics/commonsense has 20 rows, expected were 3,885",
        "only 'test' was found; all splits are taken from it",
    )


def test_an_unexpected_number_of_rows_is_a_note_and_a_limit_is_expected(load):
    assert load("gsm8k").audit.notes == (
        "split 'train' of gsm8k has 12 rows, expected were 7,473",
        "split 'test' of gsm8k has 8 rows, expected were 1,319",
    )
    task = load("gsm8k", limit=6)
    assert task.audit.rows == 12
    assert task.audit.notes == ()
    assert load("piqa").audit.notes == ()  # no source was found that says how many


def test_splits_can_be_chosen_from_the_sets_own(load):
    task = load("gsm8k", splits={"pool": 4, "validation": {"file": "test", "count": 3}, "test": {"file": "test"}})
    assert {split: task.examples(split).num_rows for split in task.splits} == {"pool": 4, "validation": 3, "test": 5}
    assert task.audit.unassigned == 8


# The hub ----------------------------------------------------------------------------------------------------------

HUB = """
import json, sys
from outgrow.tasks.benchmarks.cells import Row
from outgrow.tasks.benchmarks.loading import _from_hub
from outgrow.tasks.benchmarks.spec import Hub
from outgrow import tasks
benchmark = tasks.spec("gsm8k").config_model()().benchmark()
rows = _from_hub(Hub(sys.argv[1], ("main",), None), benchmark, "train", int(sys.argv[2]) or None)
print(json.dumps([[row.cells["question"], row.where] for row in rows]))
"""


@pytest.mark.slow
def test_the_library_reads_a_repository_laid_out_like_the_hubs(tmp_path):
    pytest.importorskip("datasets")
    folder = tmp_path / "gsm8k"
    write(folder / "main" / "train-00000-of-00001.parquet", rows(gsm8k, 0, 12))
    card = "---\nconfigs:\n- config_name: main\n  data_files:\n  - split: train\n    path: main/train-*\n---\n"
    (folder / "README.md").write_text(card)
    environment = {**os.environ, "HF_HOME": str(tmp_path / "cache"), "HF_HUB_OFFLINE": "1"}
    for limit, expected in ((0, 12), (5, 5)):
        done = subprocess.run(
            [sys.executable, "-c", HUB, str(folder), str(limit)],
            env=environment, capture_output=True, text=True, timeout=120, check=True,
        )  # fmt: skip
        found = json.loads(done.stdout.splitlines()[-1])
        assert [question for question, _ in found] == [row["question"] for row in rows(gsm8k, 0, expected)]
        assert found[4][1] == f"{folder}/main/train, row 5"


class FakeDatasets:
    """Stands in for the library `datasets`: one data set, or an error."""

    class exceptions:  # noqa: N801
        """The library's own errors."""

        class DatasetsError(Exception):
            """Any of them."""

    def __init__(self, found):
        self.found, self.asked = found, []

    def load_dataset(self, name, config, *, split, revision):
        """Rows, or the error."""
        self.asked.append((name, config, split, revision))
        if isinstance(self.found, Exception):
            raise self.found
        return self.found[split.partition("[")[0]]


def test_what_is_asked_of_the_hub(monkeypatch, load):
    fake = FakeDatasets({"train": rows(gsm8k, 0, 12), "test": rows(gsm8k, 12, 20)})
    monkeypatch.setitem(sys.modules, "datasets", fake)
    assert tasks.load("gsm8k", revision="abc").fingerprint() == load("gsm8k").fingerprint()
    assert fake.asked == [("openai/gsm8k", "main", "train", "abc"), ("openai/gsm8k", "main", "test", "abc")]


def test_parts_of_a_set_are_read_one_after_another_at_the_pinned_revision(monkeypatch):
    problems = MADE["math"].files["train/algebra/0.json"] * 1
    more = [{**problems[0], "problem": f"Problem {i}"} for i in range(12)]
    fake = FakeDatasets({"train": more, "test": [{**problems[0], "problem": "Another"}]})
    monkeypatch.setitem(sys.modules, "datasets", fake)
    task = tasks.load("math", subjects=["algebra", "geometry"], limit=12)
    assert [asked[1:3] for asked in fake.asked] == [
        ("algebra", "train[:12]"), ("geometry", "train[:12]"), ("algebra", "test[:12]"), ("geometry", "test[:12]"),
    ]  # fmt: skip
    assert {asked[3] for asked in fake.asked} == {"0bd4da3ba883718272d0e821efdf10b63c2ed3bf"}
    assert task.examples("test").num_rows == 1


@pytest.mark.parametrize(
    "error",
    [
        ConnectionError("no route"),
        TimeoutError(),
        ValueError("BuilderConfig 'main' not found"),
        FakeDatasets.exceptions.DatasetsError("gone"),
    ],
)
def test_a_hub_that_gives_nothing_is_told_in_one_line(monkeypatch, error):
    monkeypatch.setitem(sys.modules, "datasets", FakeDatasets(error))
    where = r"openai/gsm8k/main/train \(revision newest\) cannot be read from the hub: "
    with pytest.raises(PrerequisiteError, match=rf"{where}.*{str(error)[:6]}.*; get the set's files and give path"):
        tasks.load("gsm8k")


def test_a_missing_library_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(PrerequisiteError, match=r'pip install "outgrow\[hub\]"; or give path'):
        tasks.load("gsm8k")


def test_missing_columns_on_the_hub_are_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", FakeDatasets({"train": [{"question": "?", "solution": "!"}]}))
    with pytest.raises(
        DataError, match=r"openai/gsm8k/main/train, row 1: gsm8k needs the columns .*missing \['answer'\]"
    ):
        tasks.load("gsm8k")


# Bad input --------------------------------------------------------------------------------------------------------


def fails(kind, folder, message, error=DataError, **options):
    with pytest.raises(error, match=message):
        tasks.load(kind, path=str(folder), **options)


def test_a_missing_folder_file_or_split_is_named(tmp_path):
    fails("gsm8k", tmp_path / "none", "none: no such folder; give path, the folder with the files of gsm8k")
    fails("gsm8k", tmp_path, r"no file for the split 'train' of gsm8k \(found: none\)")
    write(tmp_path / "train.jsonl", rows(gsm8k, 0, 12))
    fails("gsm8k", tmp_path, r"train.jsn: no such file \(files.train\); in its folder: train.jsonl",
          files={"train": "train.jsn"})  # fmt: skip
    splits = {"pool": "rest", "validation": 1, "test": {"file": "test"}}
    fails("gsm8k", tmp_path, r"no file for the split 'test' of gsm8k \(found: train\)", splits=splits)


def test_two_files_that_fit_one_split_are_not_guessed_at(tmp_path):
    write(tmp_path / "train.jsonl", rows(gsm8k, 0, 12))
    write(tmp_path / "old" / "train.jsonl", rows(gsm8k, 0, 12))
    fails("gsm8k", tmp_path, r"several files fit the split 'train' of gsm8k: old/train.jsonl, train.jsonl; "
          r"say which it is, for instance files: \{train: old/train.jsonl\}")  # fmt: skip


def test_missing_columns_are_named_with_file_and_line(tmp_path):
    write(tmp_path / "train.jsonl", [*rows(gsm8k, 0, 2), {"question": "And now?", "reply": "4"}])
    fails("gsm8k", tmp_path, r"train.jsonl, line 3: gsm8k needs the columns \['question', 'answer'\]; "
          r"missing \['answer'\], found \['question', 'reply'\]")  # fmt: skip


@pytest.mark.parametrize(
    ("kind", "make", "change", "message"),
    [
        ("hellaswag", hellaswag, {"label": "4"}, "line 2, column 'label': the label must be 0 to 3, found '4'"),
        ("hellaswag", hellaswag, {"label": ""}, "column 'label': the label must be 0 to 3, found ''"),
        ("hellaswag", hellaswag, {"endings": "digs"}, "column 'endings': must be JSON, found 'digs'"),
        ("hellaswag", hellaswag, {"endings": ["a", " A", "a", "a"]}, "line 2: a question needs two different options"),
        ("mmlu", mmlu, {"answer": "E"}, "column 'answer': the label must be A to D, found 'E'"),
        ("boolq", boolq, {"answer": "perhaps"}, "column 'answer': must be true or false, found 'perhaps'"),
        ("boolq", boolq, {"passage": " "}, "column 'passage': the text is empty"),
        ("boolq", boolq, {"question": 7}, "column 'question': must be text, found 7"),
        ("gsm8k", gsm8k, {"answer": "It is 4."}, "column 'answer': must end in '#### number', ends in 'It is 4.'"),
        ("ethics", commonsense, {"label": 2}, "column 'label': the label must be 0 to 1, found 2"),
        ("ethics", commonsense, {"label": -1}, "column 'label': the label must be 0 to 1, found -1"),
        ("ethics", commonsense, {"is_short": "long"}, "column 'is_short': must be true or false, found 'long'"),
        ("arc", lambda i: keyed(i, "question"), {"answerKey": "F"}, "do not fit 4 options and the answer 'F'"),
        ("amazon_polarity", amazon, {"label": 2}, "column 'label': the label must be 0 to 1, found 2"),
    ],
)  # fmt: skip
def test_a_wrong_cell_is_named(tmp_path, kind, make, change, message):
    own = rows(make, 0, 3)
    own[1] = {**own[1], **change}
    files = {"mmlu": ("dev", "validation", "test"), "hellaswag": ("train", "validation")}.get(kind, ("train", "test"))
    for split in files:
        write(tmp_path / f"{split}.jsonl", own)
    if kind == "boolq":
        (tmp_path / "test.jsonl").rename(tmp_path / "dev.jsonl")
    fails(kind, tmp_path, message)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train.jsonl", b'{"question": "a"\n', "line 1: malformed JSON"),
        ("train.jsonl", b"[1]\n", r"line 1: expected a JSON object, found '\[1\]'"),
        ("train.jsonl", b"", "no rows; the split 'train' of gsm8k needs some"),
        ("train.jsonl", b'{"question": "caf\xe9", "answer": ""}\n', "not UTF-8"),
        ("train.csv", b"question,answer\na,b,c\n", r"line 2: 3 cells, the columns are \['question', 'answer'\]"),
        ("train.csv", b'question,answer\n"a,b\n', "malformed CSV"),
        ("train.parquet", b"PAR1", "not a Parquet file that can be read"),
    ],
)
def test_a_broken_file_is_named(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    fails("gsm8k", tmp_path, message)
    fails("gsm8k", tmp_path, name)


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        ("gsm8k", {"source": "folder"}, "source: folder needs path"),
        ("gsm8k", {"source": "hub", "path": "x"}, "source: hub reads no files; leave out path and files"),
        ("slurp", {}, r"slurp/scenario is on no hub in text form; give path \(docs/tasks.md says which files"),
        ("gsm8k", {"path": "x", "files": {"tran": "x"}}, "'tran'; did you mean 'train'\\? Its own: train, test"),
        ("gsm8k", {"splits": {"pool": {"file": "dev"}, "test": 1}}, "'dev'.*; split 'validation' is missing"),
        ("ethics", {"subset": "virtues"}, "did you mean 'virtue'"),
        ("mmlu", {"posed": "letter"}, "did you mean 'letters'"),
        ("mmlu", {"pose": "letters"}, "pose: unknown key; did you mean 'posed'"),
        ("boolq", {"balance": "up"}, "balance: must be 'keep' or 'downsample'"),
        ("math", {"subjects": ["topology"]}, r"subjects: the 1st \(topology\): must be"),
    ],
)  # fmt: skip
def test_wrong_options_are_told(kind, options, message):
    with pytest.raises(ConfigError, match=message):
        tasks.load(kind, **options)


def test_docs_list_what_the_code_has():
    table = (Path(__file__).parents[3] / "docs" / "tasks.md").read_text(encoding="utf-8")
    for kind in MADE:
        config = tasks.spec(kind).config_model()
        options = {"path": "."} if kind == "slurp" else {}
        benchmark = config(**options).benchmark()
        row = next(line for line in table.splitlines() if line.startswith(f"| `{kind}` "))
        assert benchmark.hub is None or f"`{benchmark.hub.id}`" in row
        assert f"`{config(**options).revision}`" in row or "| null |" in row
        assert all(f"{split.rows:,}" in row for split in benchmark.files.values() if split.rows is not None)
        assert all(f"`{column}`" in row for column in benchmark.columns)

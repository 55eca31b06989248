"""LLaMA-Factory's list of data sets: ours is added, the others stay, nothing is half-written."""

from __future__ import annotations

import errno
import json
import os

import pyarrow as pa
import pytest
from pydantic import BaseModel, ConfigDict

from outgrow.core.errors import ConfigError, DataError, OutgrowError
from outgrow.io.export import write_rows

ROWS = pa.table({"prompt": ["One?"], "target": ["yes"]})
OTHERS = {
    "identity": {"file_name": "identity.json"},
    "hub": {"hf_hub_url": "some/where", "columns": {"prompt": "a"}, "num_samples": 5},
}


class Columns(BaseModel):
    """Column roles of data/README.md; each names a column of the data file."""

    model_config = ConfigDict(extra="forbid")
    prompt: str | None = None
    query: str | None = None
    response: str | None = None
    messages: str | None = None
    chosen: str | None = None
    rejected: str | None = None


class Entry(BaseModel):
    """hiyouga/LLaMA-Factory, data/README.md: file_name is needed for a local file; formatting is alpaca or sharegpt.

    ranking says that the file holds preferences.
    """

    model_config = ConfigDict(extra="forbid")
    file_name: str
    formatting: str
    ranking: bool = False
    columns: Columns


def info(folder):
    return json.loads((folder / "dataset_info.json").read_text("utf-8"))


PAIRS = pa.table({"prompt": ["One?"], "chosen": ["yes"], "rejected": ["no"]})


@pytest.mark.parametrize(
    ("name", "formatting", "columns"),
    [
        ("preference", "alpaca", {"prompt": "instruction", "query": "input"}),
        ("sharegpt-preference", "sharegpt", {"messages": "conversations"}),
    ],
)
def test_pairs_are_listed_as_a_ranking_until_rows_take_their_place(tmp_path, name, formatting, columns):
    path = tmp_path / "train.jsonl"
    columns = {**columns, "chosen": "chosen", "rejected": "rejected"}
    write_rows(PAIRS, path, format=f"llamafactory-{name}")
    entry = info(tmp_path)["train"]
    assert entry == {"file_name": "train.jsonl", "formatting": formatting, "ranking": True, "columns": columns}
    Entry.model_validate(entry)
    assert set(columns.values()) == set(json.loads(path.read_text()))
    write_rows(ROWS, path, format="llamafactory-alpaca")
    assert "ranking" not in info(tmp_path)["train"]


@pytest.mark.parametrize(
    ("name", "columns"),
    [
        ("alpaca", {"prompt": "instruction", "query": "input", "response": "output"}),
        ("sharegpt", {"messages": "conversations"}),
    ],
)
def test_a_new_list_describes_the_file_and_its_columns(tmp_path, name, columns):
    written = write_rows(ROWS, tmp_path / "train.jsonl", format=f"llamafactory-{name}")
    assert written == (tmp_path / "train.jsonl", tmp_path / "dataset_info.json")
    assert info(tmp_path) == {"train": {"file_name": "train.jsonl", "formatting": name, "columns": columns}}
    Entry.model_validate(info(tmp_path)["train"])
    row = json.loads((tmp_path / "train.jsonl").read_text())
    assert set(columns.values()) == set(row)  # every column named is there


def test_other_entries_stay_as_they_are_and_in_their_order(tmp_path):
    (tmp_path / "dataset_info.json").write_text("\ufeff" + json.dumps(OTHERS), encoding="utf-8")
    write_rows(ROWS, tmp_path / "train.jsonl", format="llamafactory-alpaca")
    assert list(info(tmp_path)) == ["identity", "hub", "train"]
    assert {name: info(tmp_path)[name] for name in OTHERS} == OTHERS


def test_writing_the_same_file_again_changes_its_entry_and_keeps_what_was_added_by_hand(tmp_path):
    write_rows(ROWS, tmp_path / "train.jsonl", format="llamafactory-alpaca")
    mine = info(tmp_path)
    mine["train"] |= {"num_samples": 100, "tags": {"role_tag": "role"}}
    (tmp_path / "dataset_info.json").write_text(json.dumps(mine))
    write_rows(ROWS, tmp_path / "train.jsonl", format="llamafactory-sharegpt")
    assert info(tmp_path)["train"] == {
        "file_name": "train.jsonl",
        "formatting": "sharegpt",
        "columns": {"messages": "conversations"},
        "num_samples": 100,
    }


@pytest.mark.parametrize("taken", [{"file_name": "train.json"}, {"hf_hub_url": "some/where"}, "nonsense"])
def test_a_name_taken_by_another_data_set_is_refused(tmp_path, taken):
    (tmp_path / "dataset_info.json").write_text(json.dumps({"train": taken}))
    with pytest.raises(ConfigError, match="already describes another data set 'train'"):
        write_rows(ROWS, tmp_path / "train.jsonl", format="llamafactory-alpaca")
    assert info(tmp_path) == {"train": taken}
    assert not (tmp_path / "train.jsonl").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"a": {"file_name": "a.json"},', "not JSON that can be added to"),
        ('{"a": {"file_name": "a.json"}, "a": {}}', "a stands there twice"),
        ("[1, 2]", "found a list"),
        (b"\xff\xfe\x00", "not JSON that can be added to"),
    ],
)
def test_a_list_that_cannot_be_added_to_is_left_alone(tmp_path, content, message):
    path = tmp_path / "dataset_info.json"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    before = path.read_bytes()
    with pytest.raises(DataError, match=message):
        write_rows(ROWS, tmp_path / "train.jsonl", format="llamafactory-alpaca")
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("call", [1, 2])
def test_a_full_disk_leaves_the_list_and_the_rows_as_they_were(tmp_path, monkeypatch, call):
    write_rows(ROWS, tmp_path / "train.jsonl", format="llamafactory-alpaca")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    calls, fsync = [], os.fsync

    def full(handle):
        calls.append(handle)
        if len(calls) == call:  # the list's bytes, or those of the rows
            raise OSError(errno.ENOSPC, "No space left on device")
        fsync(handle)

    monkeypatch.setattr(os, "fsync", full)
    more = pa.table({"prompt": ["Two?"], "target": ["no"]})
    with pytest.raises(OutgrowError, match="no space left; nothing was written"):
        write_rows(more, tmp_path / "train.jsonl", format="llamafactory-sharegpt")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

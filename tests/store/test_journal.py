"""Journals: what was appended comes back, whatever a crash left of the last line."""

import errno
import json
import math
import os

import pytest

from outgrow.core.errors import ConfigError
from outgrow.store import DamagedWorkError, Journal


@pytest.fixture
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)


RECORDS = [{"id": "q1", "value": "ä\n"}, [1, 2.5, None], "text", {"logprob": -math.inf, "x": 0.1 + 0.2}]


def filled(path, records=RECORDS):
    journal = Journal(path)
    for record in records:
        journal.append(record)
    journal.close()
    return path.read_bytes()


def test_records_come_back_as_they_were_after_opening_again(tmp_path):
    filled(tmp_path / "a.jsonl")
    journal = Journal(tmp_path / "a.jsonl")
    assert list(journal) == RECORDS
    assert len(journal) == 4
    journal.append({"n": 5})
    assert list(journal) == [*RECORDS, {"n": 5}]
    journal.close()


def test_each_line_is_json_with_digest_and_record(tmp_path):
    lines = filled(tmp_path / "a.jsonl").decode().splitlines()
    assert [json.loads(line)["r"] for line in lines] == RECORDS
    assert all(len(json.loads(line)["d"]) == 16 for line in lines)


def test_nan_is_kept(tmp_path):
    filled(tmp_path / "a.jsonl", [{"loss": math.nan}])
    (record,) = Journal(tmp_path / "a.jsonl")
    assert math.isnan(record["loss"])


def test_a_record_that_would_come_back_changed_is_refused(tmp_path):
    journal = Journal(tmp_path / "a.jsonl")
    with pytest.raises(ConfigError, match=r"record 0 of journal a.jsonl has the key 1 of type int"):
        journal.append({1: "one"})
    assert list(journal) == []


def test_iteration_covers_what_was_there_when_it_began(tmp_path):
    journal = Journal(tmp_path / "a.jsonl")
    for i in range(3):
        journal.append(i)
    seen = []
    for record in journal:
        seen.append(record)
        journal.append(record + 10)
    assert seen == [0, 1, 2]
    assert list(journal) == [0, 1, 2, 10, 11, 12]


def test_a_file_cut_at_any_byte_gives_the_complete_lines_before_the_cut(tmp_path, no_waiting_for_the_disk):
    whole = filled(tmp_path / "a.jsonl")
    for cut in range(len(whole) + 1):
        (tmp_path / "b.jsonl").write_bytes(whole[:cut])
        journal = Journal(tmp_path / "b.jsonl")
        complete = whole[:cut].count(b"\n")
        assert list(journal) == RECORDS[:complete]
        for record in RECORDS[complete:]:
            journal.append(record)
        journal.close()
        assert (tmp_path / "b.jsonl").read_bytes() == whole


@pytest.mark.parametrize("tail", [b"\0" * 40, b'{"d":"0000000000000000","r":1}\n', b"\xff\xfe\n", b'{"d":"'])
def test_garbage_after_the_last_good_line_is_dropped(tmp_path, tail):
    whole = filled(tmp_path / "a.jsonl")
    (tmp_path / "a.jsonl").write_bytes(whole + tail)
    journal = Journal(tmp_path / "a.jsonl")
    assert list(journal) == RECORDS
    assert (tmp_path / "a.jsonl").read_bytes() == whole


def test_any_changed_byte_before_the_last_line_is_damage(tmp_path, no_waiting_for_the_disk):
    whole = filled(tmp_path / "a.jsonl")
    last = whole.rstrip(b"\n").rindex(b"\n") + 1
    for place in range(last - 1):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        (tmp_path / "a.jsonl").write_bytes(damaged)
        with pytest.raises(DamagedWorkError, match=r"a\.jsonl: line [123] is not what was written"):
            Journal(tmp_path / "a.jsonl")
        assert (tmp_path / "a.jsonl").read_bytes() == damaged  # left as it is for whoever sets it aside
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jsonl"]
    # Without the line break before it, the last line and its neighbour cannot be told from one torn line.
    (tmp_path / "a.jsonl").write_bytes(whole[: last - 1] + whole[last:])
    assert list(Journal(tmp_path / "a.jsonl")) == RECORDS[:2]


def test_removed_or_swapped_lines_are_damage(tmp_path):
    lines = filled(tmp_path / "a.jsonl").splitlines(keepends=True)
    for changed in ([lines[1], lines[2], lines[3]], [lines[1], lines[0], lines[2], lines[3]]):
        (tmp_path / "a.jsonl").write_bytes(b"".join(changed))
        with pytest.raises(DamagedWorkError, match="line 1 "):
            Journal(tmp_path / "a.jsonl")


def test_a_failed_append_leaves_the_journal_as_it_was(tmp_path, monkeypatch):
    journal = Journal(tmp_path / "a.jsonl")
    journal.append("one")

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space left"):
            journal.append("lost")
    assert list(journal) == ["one"]
    journal.append("two")
    assert list(journal) == ["one", "two"]
    journal.close()
    assert list(Journal(tmp_path / "a.jsonl")) == ["one", "two"]


def test_whoever_opened_it_earlier_writes_to_a_file_that_nobody_reads(tmp_path):
    stalled = Journal(tmp_path / "a.jsonl")
    stalled.append("before")
    successor = Journal(tmp_path / "a.jsonl")
    stalled.append("late")
    successor.append("after")
    stalled.append("later still")
    successor.close()
    assert list(Journal(tmp_path / "a.jsonl")) == ["before", "after"]


def test_the_check_is_called_before_anything_is_written(tmp_path):
    allowed = [True, False]

    def check():
        if not allowed.pop(0):
            raise DamagedWorkError("no longer yours")

    journal = Journal(tmp_path / "a.jsonl", check)
    journal.append(1)
    with pytest.raises(DamagedWorkError, match="no longer yours"):
        journal.append(2)
    assert list(journal) == [1]

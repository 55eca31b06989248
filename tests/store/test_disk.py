"""A full disk: a clear error, nothing half-written, finished parts are there the next time. A read-only disk: read."""

import contextlib
import errno
import os
import subprocess

import pyarrow as pa
import pytest

import outgrow.store.artefact
from outgrow.core.errors import StoreError
from outgrow.store import Journal, Step, Store

STEP = Step("ask", 1, {})


def maker(work):
    journal = work.journal("parts")
    for i in range(len(journal), 3):
        journal.append(i)
    work.save_json(list(journal), "parts.json")
    work.save_table(pa.table({"i": [0, 1, 2]}))


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_whatever_call_finds_the_disk_full_nothing_is_committed(tmp_path, monkeypatch, number):
    """The n-th call that needs space fails, for every n, until a run needs fewer calls than n."""
    failures, harmless = 0, []
    for n in range(200):
        store = Store(tmp_path / str(n))
        calls = []

        def full(original, calls=calls, n=n):
            def call(*args, **kwargs):
                calls.append(original.__name__)
                if len(calls) == n + 1:
                    raise OSError(number, os.strerror(number))
                return original(*args, **kwargs) if original.__name__ != "fsync" else None

            return call

        with monkeypatch.context() as patch:
            for name in ("fsync", "link", "mkdir"):
                patch.setattr(os, name, full(getattr(os, name)))
            message = ""
            try:
                store.make(STEP, maker)
            except StoreError as error:
                message = str(error)
        if message:
            failures += 1
            assert "no space left on the disk" in message
            assert f"step 'ask' ({STEP.key[:12]}): nothing was committed; free space and run again" in message
            assert not list(tmp_path.glob(f"{n}/{STEP.key}/*"))
            assert store.get(STEP) is None
        if n % 5 == 0 or len(calls) <= n:
            assert store.make(STEP, maker).json("parts.json") == [0, 1, 2]
        if len(calls) <= n:
            break
        if not message:
            harmless.append(calls[n])
    assert failures > 15  # lease, journal, two files, their folders, manifest
    # What may fail: making the result's folder, which is there (two files), and the sync after the commit.
    assert harmless == ["mkdir", "mkdir", "fsync"]


@pytest.mark.parametrize("text", ["Io error: No space left on device (os error 28)", "Disk quota exceeded"])
def test_errors_of_libraries_that_only_say_so_in_words_are_understood(tmp_path, text):
    def failing(work):
        try:
            raise ValueError(text)
        except ValueError as error:
            raise RuntimeError("the checkpoint could not be written") from error

    with pytest.raises(StoreError, match="no space left on the disk of"):
        Store(tmp_path).make(STEP, failing)


def test_other_errors_of_the_maker_pass_unchanged(tmp_path):
    def failing(work):
        raise FileNotFoundError(errno.ENOENT, "no such data")

    with pytest.raises(FileNotFoundError, match="no such data"):
        Store(tmp_path).make(STEP, failing)


def test_a_really_full_disk_and_going_on_after_space_was_freed(small_disk):
    ballast = small_disk / "ballast"
    ballast.write_bytes(b"\0" * 600_000)
    store = Store(small_disk / "store")
    noise = os.urandom(700_000)
    seen = []

    def large(work):
        journal = work.journal("parts")
        seen.append(list(journal))
        for i in range(len(journal), 3):
            journal.append(i)
        work.save_table(pa.table({"noise": [noise]}))

    for _ in range(2):
        with pytest.raises(StoreError, match=r"no space left on the disk of .*nothing was committed; free space"):
            store.make(STEP, large)
        assert store.get(STEP) is None
        assert not (store.path / STEP.key).exists()
    ballast.unlink()
    assert store.make(STEP, large).table().column("noise").to_pylist() == [noise]
    assert seen == [[], [0, 1, 2], [0, 1, 2]]


def test_a_journal_on_a_really_full_disk_keeps_what_it_has(small_disk):
    journal = Journal(small_disk / "a.jsonl")
    text = "x" * 5000
    written = 0
    while True:
        try:
            journal.append([written, text])
        except OSError as error:
            assert error.errno == errno.ENOSPC  # noqa: PT017 - the loop ends here
            break
        written += 1
    assert 150 < written < 210  # one megabyte in lines of five kilobytes
    assert [record[0] for record in journal] == list(range(written))
    size = (small_disk / "a.jsonl").stat().st_size
    with pytest.raises(OSError, match="No space left"):
        journal.append([written, text])
    assert (small_disk / "a.jsonl").stat().st_size == size
    subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
    journal.append([written, text])
    journal.close()
    assert [record[0] for record in Journal(small_disk / "a.jsonl")] == list(range(written + 1))


def test_a_disk_without_space_for_the_lease(small_disk):
    store = Store(small_disk / "store")
    with (small_disk / "ballast").open("wb", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            file.write(b"\0" * 4096)
    with pytest.raises(StoreError, match="no space left on the disk of"):
        store.make(STEP, maker)
    (small_disk / "ballast").unlink()
    assert store.make(STEP, maker).json("parts.json") == [0, 1, 2]


def test_a_read_only_store_is_read_but_not_written(small_disk):
    store = Store(small_disk / "store")
    store.make(STEP, maker)
    (store.path / "work" / STEP.key).mkdir(parents=True)  # left by a process that died after its commit
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    outgrow.store.artefact._verified.clear()
    assert store.make(STEP, maker).json("parts.json") == [0, 1, 2]
    with pytest.raises(StoreError, match=r"the store .* cannot be written: .*Read-only file system"):
        store.make(Step("other", 1, {}), maker)


def test_damage_in_a_read_only_store_cannot_be_set_aside(small_disk):
    store = Store(small_disk / "store")
    store.make(STEP, maker).path("parts.json").write_text("[]")
    subprocess.run(["mount", "-o", "remount,ro", str(small_disk)], check=True)
    with pytest.raises(
        StoreError, match=r"step 'ask' .* is damaged \(file 'parts.json' has 2 bytes .*cannot be set aside"
    ):
        store.get(STEP)

"""A store damaged by hand or by a disk: found on read, set aside with a warning, done again."""

import json
import os
import re
import shutil

import pyarrow as pa
import pytest

import outgrow.store.artefact
from outgrow.core.errors import StoreError
from outgrow.store import DamagedWorkError, Step, Store, StoreWarning
from outgrow.store.artefact import encode_manifest
from outgrow.store.status import status

STEP = Step("label", 1, {"k": 5}, {})


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def maker(work):
    work.save_table(pa.table({"a": list(range(50))}))
    work.save_json({"n": 50}, "facts.json")


@pytest.fixture
def store(tmp_path):
    """A store that holds STEP and has not been read by this process."""
    store = Store(tmp_path / "store")
    store.make(STEP, maker)
    outgrow.store.artefact._verified.clear()
    return store


def contents(store):
    folder = store.get(STEP).folder
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def expect_redo(store, damage, before):
    """`get` warns and finds nothing, `make` does the step again, the damaged files are kept aside."""
    with pytest.warns(StoreWarning, match=rf"step '?.*{STEP.key[:12]}.* is damaged: .*{damage}.*done again"):
        assert store.get(STEP) is None
    assert store.get(STEP) is None  # and no second warning
    assert len(list((store.path / "quarantine").iterdir())) == 1
    (grave,) = (store.path / "quarantine").iterdir()
    assert (grave / "manifest.json").exists()
    store.make(STEP, maker)
    outgrow.store.artefact._verified.clear()
    assert contents(store) == before
    assert len(list((store.path / STEP.key).glob("attempt-*"))) == 1


def sound_contents(store):
    before = contents(store)
    outgrow.store.artefact._verified.clear()
    return before


@pytest.mark.parametrize("name", ["table.parquet", "facts.json"])
def test_a_missing_file(store, name):
    before = sound_contents(store)
    (next((store.path / STEP.key).glob("attempt-*")) / name).unlink()
    expect_redo(store, f"file '{name}' is missing", before)


@pytest.mark.parametrize("name", ["table.parquet", "facts.json"])
@pytest.mark.parametrize("place", [0, -1, 5])
def test_a_changed_byte(store, name, place):
    before = sound_contents(store)
    path = next((store.path / STEP.key).glob("attempt-*")) / name
    data = bytearray(path.read_bytes())
    data[place] ^= 1
    path.write_bytes(data)
    expect_redo(store, f"file '{name}' has been changed", before)


def test_a_truncated_file(store):
    before = sound_contents(store)
    path = next((store.path / STEP.key).glob("attempt-*")) / "facts.json"
    path.write_bytes(path.read_bytes()[:-3])  # 9 bytes and a line break: {"n":50}
    expect_redo(store, "file 'facts.json' has 6 bytes instead of 9", before)


def test_a_missing_folder(store):
    before = sound_contents(store)
    shutil.rmtree(next((store.path / STEP.key).glob("attempt-*")))
    expect_redo(store, "file 'facts.json' is missing", before)


def folder_in_place_of(path):
    path.unlink()
    path.mkdir()
    (path / "x").touch()


def loop_in_place_of(path):
    path.unlink()
    path.symlink_to(path.name)


def link_in_place_of(path):
    """The bytes are right, but they are not the store's: whoever owns them may change them."""
    elsewhere = path.parents[2] / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


TURNS = (folder_in_place_of, loop_in_place_of, link_in_place_of)


@pytest.mark.parametrize("turn", TURNS)
def test_a_file_that_was_turned_into_something_else(store, turn):
    before = sound_contents(store)
    turn(next((store.path / STEP.key).glob("attempt-*")) / "facts.json")
    expect_redo(store, "'facts.json' is no file, or a link", before)


@pytest.mark.parametrize("turn", TURNS[:2])
def test_a_manifest_that_was_turned_into_something_else(store, turn):
    before = sound_contents(store)
    turn(store.path / STEP.key / "manifest.json")
    with pytest.warns(StoreWarning, match=rf"{STEP.key[:12]}.* is damaged: manifest.json cannot be read"):
        assert store.get(STEP) is None
    store.make(STEP, maker)
    assert contents(store) == before


def test_an_attempt_that_is_a_link_to_another_folder(store, tmp_path):
    before = sound_contents(store)
    attempt = next((store.path / STEP.key).glob("attempt-*"))
    attempt.rename(tmp_path / "elsewhere")
    attempt.symlink_to(tmp_path / "elsewhere")
    expect_redo(store, "'facts.json' is no file, or a link", before)
    assert (tmp_path / "elsewhere" / "facts.json").exists()  # set aside was the link


@pytest.mark.parametrize("name", ["../x", "/etc/passwd", "a/../../x", "", "a//b", "..\\x", "a\0b"])
def test_a_manifest_that_names_what_is_not_in_its_folder(store, name):
    before = sound_contents(store)
    path = store.path / STEP.key / "manifest.json"
    fields = json.loads(path.read_bytes())
    del fields["digest"]
    other = {**fields, "files": {name: next(iter(fields["files"].values()))}}
    path.write_bytes(encode_manifest(other))
    expect_redo(store, f"manifest.json names {re.escape(repr(name))}, which is not in its folder", before)
    outgrow.store.artefact._verified.clear()
    path.write_bytes(encode_manifest({**fields, "attempt": "../../elsewhere"}))
    with pytest.warns(StoreWarning, match=r"names '\.\./\.\./elsewhere', which is not in its folder"):
        assert store.get(STEP) is None


@pytest.mark.parametrize("turn", TURNS)
def test_a_journal_that_was_turned_into_something_else_begins_the_step_anew(tmp_path, turn):
    store = Store(tmp_path / "store")
    step = Step("ask", 1, {})
    with pytest.raises(RuntimeError, match="interrupted"):
        store.make(step, parts)
    turn(store.path / "work" / step.key / "parts.jsonl")
    with (
        pytest.warns(StoreWarning, match="work on step 'ask' .* is damaged: .*parts.jsonl is no file, or a link"),
        pytest.raises(RuntimeError, match="interrupted"),
    ):
        store.make(step, parts)


@pytest.mark.parametrize("turn", TURNS)
def test_a_lease_that_was_turned_into_something_else_is_in_nobodys_way(tmp_path, turn):
    store = Store(tmp_path / "store")
    lease = store.path / "work" / STEP.key / "lease"
    lease.parent.mkdir(parents=True)
    lease.write_text("{}")
    turn(lease)
    status(store.path)
    assert store.make(STEP, maker).json("facts.json") == {"n": 50}
    assert not list((store.path / "work").iterdir())


def test_a_checkpoint_that_was_turned_into_a_folder_begins_the_step_anew(tmp_path):
    store = Store(tmp_path)
    (tmp_path / "work" / STEP.key / "checkpoint").mkdir(parents=True)

    def training(work):
        (work.dir / "checkpoint").write_text("x")
        work.save_json(1, "done.json")

    with pytest.warns(StoreWarning, match="work on step 'label' .* is damaged: .*Is a directory: .*checkpoint"):
        assert store.make(STEP, training).json("done.json") == 1


@pytest.mark.parametrize("text", ["", "{", "[]\n", "null\n", '{"digest": 1}\n', "\xff\xfe", "\0\0\0\0"])
def test_a_manifest_that_is_not_one(store, monkeypatch, text):
    monkeypatch.setattr(outgrow.store.artefact, "_SETTLING_SECONDS", 0.05)
    before = sound_contents(store)
    (store.path / STEP.key / "manifest.json").write_bytes(text.encode("latin-1"))
    expect_redo(store, "manifest.json", before)


def test_any_changed_byte_of_the_manifest_is_found_and_the_step_named(store, monkeypatch):
    monkeypatch.setattr(outgrow.store.artefact, "_SETTLING_SECONDS", 0.0)
    path = store.path / STEP.key / "manifest.json"
    whole = path.read_bytes()
    for place in range(0, len(whole) - 1, 7):
        data = bytearray(whole)
        data[place] ^= 1
        with pytest.raises(outgrow.store.artefact.DamageError):
            outgrow.store.artefact.decode_manifest(bytes(data), STEP.key)
    path.write_bytes(whole.replace(b'"version":1', b'"version":2'))
    with pytest.warns(StoreWarning, match=r"step 'label' .* manifest.json has been changed since it was written"):
        assert store.get(STEP) is None


def test_a_result_copied_to_another_key(store):
    other = Step("label", 1, {"k": 6}, {})
    shutil.copytree(store.path / STEP.key, store.path / other.key)
    with pytest.warns(StoreWarning, match=rf"manifest.json belongs to the step {STEP.key[:12]}"):
        assert store.get(other) is None
    assert store.get(STEP) is not None


def test_make_redoes_a_damaged_step_in_one_call_and_open_says_so(store):
    before = sound_contents(store)
    path = next((store.path / STEP.key).glob("attempt-*")) / "facts.json"
    path.write_text('{"n":51}\n')
    with pytest.warns(StoreWarning, match=r"file 'facts.json' has been changed"):
        made = store.make(STEP, maker)
    assert made.json("facts.json") == {"n": 50}
    assert contents(store) == before
    outgrow.store.artefact._verified.clear()
    made.path("facts.json").write_text('{"n":52}\n')
    with (
        pytest.warns(StoreWarning, match="has been changed"),
        pytest.raises(StoreError, match="no sound result with the key"),
    ):
        store.open(STEP.key)


def test_a_file_that_disappears_after_it_was_checked(store):
    artefact = store.get(STEP)
    artefact.path("facts.json").unlink()
    with pytest.raises(StoreError, match=r"step 'label' .*file 'facts.json' is missing; run again to redo the step"):
        artefact.json("facts.json")
    with pytest.warns(StoreWarning, match="file 'facts.json' is missing"):
        assert store.make(STEP, maker).json("facts.json") == {"n": 50}


def test_a_newer_format_is_refused_and_left_alone(store):
    path = store.path / STEP.key / "manifest.json"
    fields = json.loads(path.read_bytes())
    del fields["digest"]
    path.write_bytes(encode_manifest({**fields, "format": 2}))
    with pytest.raises(StoreError, match="is in store format 2, this outgrow reads 1; use the newer outgrow"):
        store.get(STEP)
    assert path.exists()


def test_a_sound_result_that_came_meanwhile_is_not_set_aside(store):
    path = store.path / STEP.key / "manifest.json"
    sound = path.read_bytes()
    outgrow.store.artefact._set_aside(store.path, STEP.key, b"what another reader saw before", "damaged")
    assert path.read_bytes() == sound
    assert list((store.path / "quarantine").iterdir()) == []
    assert store.get(STEP).json("facts.json") == {"n": 50}


def test_two_readers_that_see_the_same_damage_warn_once(store):
    path = store.path / STEP.key / "manifest.json"
    raw = path.read_bytes()
    with pytest.warns(StoreWarning, match="damaged"):
        outgrow.store.artefact._set_aside(store.path, STEP.key, raw, "damaged")
    outgrow.store.artefact._set_aside(store.path, STEP.key, raw, "damaged")  # a second warning would be an error
    assert len(list((store.path / "quarantine").iterdir())) == 1


def parts(work):
    journal = work.journal("parts")
    for i in range(len(journal), 4):
        journal.append({"i": i})
        if i == 2 and not (work.dir / "go").exists():
            raise RuntimeError("interrupted")
    work.save_json(list(journal), "parts.json")


def test_a_journal_damaged_in_the_middle_begins_the_step_anew(tmp_path):
    store = Store(tmp_path)
    step = Step("ask", 1, {})
    with pytest.raises(RuntimeError, match="interrupted"):
        store.make(step, parts)
    path = tmp_path / "work" / step.key / "parts.jsonl"
    path.write_bytes(path.read_bytes().replace(b'{"i":1}', b'{"i":7}'))
    with (
        pytest.warns(StoreWarning, match=rf"work on step 'ask' \({step.key[:12]}\) is damaged: .*parts.jsonl: line 2"),
        pytest.raises(RuntimeError, match="interrupted"),  # begun anew, so it comes by here again
    ):
        store.make(step, parts)
    (grave,) = (tmp_path / "quarantine").iterdir()
    assert b'{"i":7}' in (grave / "parts.jsonl").read_bytes()
    (tmp_path / "work" / step.key / "go").touch()
    assert store.make(step, parts).json("parts.json") == [{"i": 0}, {"i": 1}, {"i": 2}, {"i": 3}]


def test_a_maker_that_finds_its_checkpoint_damaged_gets_one_fresh_start(tmp_path):
    store = Store(tmp_path)
    step = Step("train", 1, {})
    calls = []

    def training(work):
        calls.append(sorted(path.name for path in work.dir.iterdir()))
        (work.dir / "checkpoint").write_text("x")
        (work.out / "half").write_text("x")
        if len(calls) < 2:
            raise DamagedWorkError("checkpoint 3 cannot be read")
        work.save_json(1, "done.json")
        (work.out / "half").unlink(missing_ok=True)

    with pytest.warns(StoreWarning, match="checkpoint 3 cannot be read; moved to .*, the step begins anew"):
        made = store.make(step, training)
    assert calls == [["lease"], ["lease"]]
    assert made.files == ("done.json",)

    def hopeless(work):
        raise DamagedWorkError("again")

    with pytest.warns(StoreWarning, match="again"), pytest.raises(DamagedWorkError, match="again"):
        store.make(Step("hopeless", 1, {}), hopeless)
    assert not (tmp_path / Step("hopeless", 1, {}).key).exists()

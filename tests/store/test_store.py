"""Making, reading and listing the results of steps."""

import json
import os
import pickle
import subprocess
import sys

import pyarrow as pa
import pytest

import outgrow.store.artefact
from outgrow.core.errors import ConfigError, SealedError, StoreError
from outgrow.core.files import sha256_file
from outgrow.store import Step, Store, StoreWarning, environment, environment_id
from outgrow.store.environment import git_revision

STEP = Step("label", 2, {"k": 5}, {"answers": "a" * 64})


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)


TABLE = pa.table({"example_id": ["q1", "q2"], "value": ["x", None]}).replace_schema_metadata({"seed": "0"})


def maker(work):
    work.save_table(TABLE)
    work.save_json({"n": 2}, "facts.json")
    (work.out / "model").mkdir()
    (work.out / "model" / "weights.bin").write_bytes(b"\1\2\3")


def not_called(work):
    raise AssertionError("the result is in the store, the maker must not run")


def test_a_step_is_made_once_and_then_read(tmp_path):
    store = Store(tmp_path / "store")
    assert store.get(STEP) is None
    made = store.make(STEP, maker)
    for again in (store.make(STEP, not_called), Store(tmp_path / "store").make(STEP, not_called), store.get(STEP)):
        assert again.key == made.key == STEP.key
        assert again.step == "label"
        assert again.manifest == made.manifest
        assert again.files == ("facts.json", "model/weights.bin", "table.parquet")
        assert again.table().equals(TABLE, check_metadata=True)
        assert again.json("facts.json") == {"n": 2}
        assert (again.path("model") / "weights.bin").read_bytes() == b"\1\2\3"


def test_the_manifest_says_what_where_and_when(tmp_path):
    store = Store(tmp_path)
    made = store.make(STEP, maker, meta={"detail": "seed 0", "rows": 2})
    manifest = json.loads((tmp_path / STEP.key / "manifest.json").read_bytes())
    assert len(manifest.pop("digest")) == 64
    assert manifest == made.manifest
    assert manifest["step"] == "label"
    assert manifest["version"] == 2
    assert manifest["config"] == {"k": 5}
    assert manifest["inputs"] == {"answers": "a" * 64}
    assert manifest["meta"] == {"detail": "seed 0", "rows": 2}
    assert manifest["files"]["model/weights.bin"] == {
        "sha256": "039058c6f2c0cb492c533b0a4d14ef77cc0f78abccced5287d84a1a2011cfb81",  # sha256sum of 01 02 03
        "bytes": 3,
    }
    assert manifest["created"].endswith("+00:00")
    assert manifest["seconds"] >= 0
    assert manifest["resumed"] is False
    assert manifest["versions"]["pyarrow"] == pa.__version__
    assert manifest["python"] == ".".join(map(str, sys.version_info[:3]))
    assert manifest["hardware"]["cores"] >= 1
    assert {"platform", "git", "attempt", "format", "key"} <= set(manifest)


def test_only_the_result_stays_in_the_folder(tmp_path):
    store = Store(tmp_path)

    def messy(work):
        work.journal("log").append(1)
        (work.dir / "checkpoint").mkdir()
        (work.dir / "checkpoint" / "step-3").write_text("x")
        maker(work)

    made = store.make(STEP, messy)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted([STEP.key, "work"])
    assert list((tmp_path / "work").iterdir()) == []
    assert sorted(p.name for p in (tmp_path / STEP.key).iterdir()) == sorted(["manifest.json", made.folder.name])


def test_a_failed_maker_leaves_no_result_but_its_work_which_is_taken_up(tmp_path):
    store = Store(tmp_path)

    def failing(work):
        maker(work)
        work.journal("parts").append("first")
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        store.make(STEP, failing)
    assert store.get(STEP) is None
    assert not (tmp_path / STEP.key).exists()
    seen = []

    def resuming(work):
        seen.extend(work.journal("parts"))
        assert work.journal("parts") is work.journal("parts")
        assert list(work.out.iterdir()) == []
        maker(work)

    made = store.make(STEP, resuming)
    assert seen == ["first"]
    assert made.manifest["resumed"] is True


def test_the_log_holds_each_step_used_once(tmp_path):
    other = Step("train", 1, {})
    Store(tmp_path).make(STEP, maker, meta={"detail": "pool"})
    store = Store(tmp_path)
    store.get(STEP)
    assert store.get(Step("absent", 1, {})) is None
    store.make(other, maker)
    store.make(other, not_called)
    store.open(STEP.key)
    first, second = store.log
    assert (first.name, first.key, first.cached, first.detail) == ("label", STEP.key, True, "pool")
    assert (second.name, second.key, second.cached, second.detail) == ("train", other.key, False, "")
    assert first.environment == second.environment == environment_id(environment())
    parent = Store(tmp_path)
    parent.get(STEP)
    parent.note(pickle.loads(pickle.dumps(store)).log)
    assert [use.name for use in parent.log] == ["label", "train"]


def test_steps_lists_the_manifests_by_key(tmp_path):
    store = Store(tmp_path / "none yet")
    assert list(store.steps()) == []
    steps = [Step("s", 1, {"i": i}) for i in range(4)]
    for step in steps:
        store.make(step, maker)
    assert [m["key"] for m in store.steps()] == sorted(step.key for step in steps)
    assert {m["config"]["i"] for m in store.steps()} == {0, 1, 2, 3}
    (store.path / steps[0].key / "manifest.json").write_text("{}\n")
    with pytest.warns(StoreWarning, match="manifest.json cannot be read"):
        assert len(list(store.steps())) == 3


def test_tables_have_the_same_bytes_however_they_are_cut(tmp_path):
    whole = pa.table({"a": list(range(1000)), "b": [None if i % 7 == 0 else str(i % 50) for i in range(1000)]})
    pieces = pa.concat_tables([whole.slice(0, 13), whole.slice(13, 500), whole.slice(513)])
    sliced = pa.concat_tables([whole.slice(900), whole]).slice(100)
    tables = [
        whole.replace_schema_metadata({"x": "1", "a": "2"}),
        pieces.replace_schema_metadata({"a": "2", "x": "1"}),
        sliced.replace_schema_metadata({"a": "2", "x": "1"}),
    ]
    digests = set()
    for i, table in enumerate(tables):
        made = Store(tmp_path).make(Step("s", 1, {"i": i}), lambda work, table=table: work.save_table(table))
        assert made.table().equals(whole)
        assert made.table().schema.metadata == {b"a": b"2", b"x": b"1"}
        digests.add(made.manifest["files"]["table.parquet"]["sha256"])
    assert len(digests) == 1


def test_json_has_the_same_bytes_whatever_the_order_and_refuses_nan(tmp_path):
    store = Store(tmp_path)

    def both(work):
        work.save_json({"b": 1, "a": [1.5, "ü"]}, "one.json")
        work.save_json({"a": (1.5, "ü"), "b": 1}, "sub/two.json")

    made = store.make(STEP, both)
    assert made.path("one.json").read_bytes() == made.path("sub/two.json").read_bytes()
    assert made.path("one.json").read_bytes() == b'{"a":[1.5,"\\u00fc"],"b":1}\n'
    with pytest.raises(ConfigError, match=r"x\.json\.a is nan"):
        store.make(Step("nan", 1, {}), lambda work: work.save_json({"a": float("nan")}, "x.json"))
    assert store.get(Step("nan", 1, {})) is None


def test_a_table_in_a_folder_named_like_a_partition_gains_no_column(tmp_path):
    made = Store(tmp_path / "seed=3").make(STEP, maker)
    assert made.table().column_names == ["example_id", "value"]


def test_files_are_hashed_once_per_process(tmp_path, monkeypatch):
    Store(tmp_path).make(STEP, maker)
    read = []
    monkeypatch.setattr(outgrow.store.artefact, "sha256_file", lambda path: read.append(path.name) or sha256_file(path))
    Store(tmp_path).get(STEP).table()
    assert read == []  # this process has written them
    outgrow.store.artefact._verified.clear()  # as in another process
    for _ in range(3):
        Store(tmp_path).get(STEP).table()
    assert sorted(read) == ["facts.json", "table.parquet", "weights.bin"]


def test_unknown_files_keys_and_names_are_refused(tmp_path):
    store = Store(tmp_path)
    made = store.make(STEP, maker)
    with pytest.raises(
        StoreError, match=r"has no file 'x'; it has \['facts.json', 'model/weights.bin', 'table.parquet"
    ):
        made.path("x")
    with pytest.raises(StoreError, match=r"has no file '\.\./manifest.json'"):
        made.path("../manifest.json")
    for key in ("nonsense", "../..", "f" * 64):
        with pytest.raises(StoreError, match="no sound result with the key"):
            store.open(key)
    for name in ("", "/etc/x", "../x", "a/../../x"):
        with pytest.raises(StoreError, match="a result file cannot be called"):
            store.make(Step("bad", 1, {}), lambda work, name=name: work.save_json(1, name))
    with pytest.raises(StoreError, match=r"a journal cannot be called '\.\./lease'"):
        store.make(Step("bad", 1, {}), lambda work: work.journal("../lease"))


def test_a_result_needs_files_and_plain_ones(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(StoreError, match="the maker of step 'empty' put no file"):
        store.make(Step("empty", 1, {}), lambda work: None)
    with pytest.raises(StoreError, match="left 'link', which is not a plain file"):
        store.make(Step("link", 1, {}), lambda work: (work.out / "link").symlink_to("/etc/passwd"))
    assert list(store.steps()) == []


def test_a_maker_that_asks_for_its_own_result_is_told(tmp_path):
    store = Store(tmp_path)
    with pytest.raises(StoreError, match="the maker of step 'label' asks for its own result"):
        store.make(STEP, lambda work: store.make(STEP, maker))


def test_a_maker_may_make_other_steps(tmp_path):
    store = Store(tmp_path)
    inner = Step("inner", 1, {})

    def outer(work):
        work.save_json(store.make(inner, maker).json("facts.json"), "copy.json")

    assert store.make(STEP, outer).json("copy.json") == {"n": 2}


def test_everything_is_on_disk_before_the_manifest_appears(tmp_path, monkeypatch):
    events = []
    link = os.link
    monkeypatch.setattr(os, "fsync", lambda handle: events.append(os.fstat(handle).st_ino))
    monkeypatch.setattr(os, "link", lambda source, target: events.append(os.fspath(target)) or link(source, target))
    made = Store(tmp_path).make(STEP, maker)
    manifest = tmp_path / STEP.key / "manifest.json"
    before = events[: events.index(str(manifest))]
    needed = [made.folder, made.folder.parent, manifest, *made.folder.rglob("*")]
    assert {path.stat().st_ino for path in needed} <= set(before)


def test_a_result_stays_though_its_maker_is_interrupted_right_after_the_commit(tmp_path, monkeypatch):
    def interrupted(root, artefact):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("outgrow.store.local.trust", interrupted)
        with pytest.raises(KeyboardInterrupt):
            Store(tmp_path).make(STEP, maker)
    assert Store(tmp_path).make(STEP, not_called).json("facts.json") == {"n": 2}


def test_a_sealed_result_is_read_by_an_unsealed_store_only(tmp_path):
    bench, store = Store(tmp_path, unsealed=True), Store(tmp_path)
    with pytest.raises(SealedError, match="step 'label' is sealed"):
        store.make(STEP, maker, meta={"sealed": True})
    assert bench.get(STEP) is None
    bench.make(STEP, maker, meta={"sealed": True})
    for read in (lambda: store.get(STEP), lambda: store.open(STEP.key), lambda: store.make(STEP, not_called)):
        with pytest.raises(SealedError, match=r"step 'label' holds gold labels and is sealed"):
            read()
    assert bench.make(STEP, not_called, meta={"sealed": True}).json("facts.json") == {"n": 2}
    assert store.log == []


def test_a_store_at_or_below_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("x")
    for place in (tmp_path / "file", tmp_path / "file" / "store"):
        with pytest.raises(StoreError, match="file is not a folder"):
            Store(place)


def test_git_revision_is_that_of_the_packages_checkout_or_null(tmp_path, monkeypatch):
    revision = git_revision()
    package = outgrow.__file__.rpartition("/")[0]
    git = subprocess.run(["git", "-C", package, "rev-parse", "HEAD"], capture_output=True, text=True, check=False)
    expected = git.stdout.strip() if git.returncode == 0 else None
    assert revision in (expected, f"{expected}-dirty")
    # Installed into an environment inside somebody's checkout: that checkout's revision says nothing about this code.
    foreign = tmp_path / "venv" / "outgrow"
    foreign.mkdir(parents=True)
    (foreign / "__init__.py").touch()
    (foreign / "core").mkdir()
    (foreign / "core" / "errors.py").touch()
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    monkeypatch.setattr(outgrow, "__file__", str(foreign / "__init__.py"))
    git_revision.cache_clear()
    assert git_revision() is None
    git_revision.cache_clear()

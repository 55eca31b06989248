"""One protocol wherever a store is: a folder, memory, S3 (a real server on loopback)."""

import json
import pickle
import shutil
import sys
import threading
import time
import uuid
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest

import outgrow.store.artefact
import outgrow.store.heartbeat
import outgrow.store.lease
import outgrow.store.remote
from outgrow.core.errors import PrerequisiteError, SealedError, StoreError
from outgrow.store import LeaseLostError, Step, StepBusyError, Store, StoreWarning
from outgrow.store.artefact import encode_manifest
from outgrow.store.cache import scratch
from outgrow.store.heartbeat import BeatLease, highest
from outgrow.store.objects import NoConditionalCreateError, Objects

STEP = Step("ask", 1, {"k": 5})


def maker(work):
    journal = work.journal("parts")
    for i in range(len(journal), 4):
        journal.append(i)
    work.save_json(list(journal), "parts.json")
    work.save_json("w", "model/weights.json")


def not_called(work):
    raise AssertionError("the result is in the store, the maker must not run")


def empty_store(kind, request, tmp_path, monkeypatch):
    monkeypatch.setenv("OUTGROW_CACHE", str(tmp_path / "cache"))
    if kind == "folder":
        return str(tmp_path / "store")
    if kind == "s3":
        return request.getfixturevalue("s3_url")
    pytest.importorskip("obstore")
    return f"memory://{uuid.uuid4().hex}/store"


@pytest.fixture(params=["memory", "s3"])
def url(request, tmp_path, monkeypatch):
    """URL of an empty store."""
    return empty_store(request.param, request, tmp_path, monkeypatch)


@pytest.fixture(params=["folder", "memory", "s3"])
def place(request, tmp_path, monkeypatch):
    """An empty store, in a folder or behind a URL."""
    return empty_store(request.param, request, tmp_path, monkeypatch)


@pytest.fixture
def forget(tmp_path):
    """Makes this process meet all results anew, as another host would."""

    def everything():
        outgrow.store.artefact._verified.clear()
        shutil.rmtree(tmp_path / "cache", ignore_errors=True)

    return everything


def elsewhere(monkeypatch):
    """From now on this process takes owners of leases for processes of another host."""
    monkeypatch.setattr(outgrow.store.lease, "host", lambda: "another host")


def test_a_step_is_made_once_and_then_read(place, forget):
    store = Store(place)
    assert store.get(STEP) is None
    assert list(store.steps()) == []
    made = store.make(STEP, maker, meta={"detail": "pool"})
    forget()
    for again in (store.make(STEP, not_called), Store(place).make(STEP, not_called), Store(place).open(STEP.key)):
        assert again.manifest == made.manifest
        assert again.files == ("model/weights.json", "parts.json")
        assert again.json("parts.json") == [0, 1, 2, 3]
        assert (again.path("model") / "weights.json").read_bytes() == b'"w"\n'
    assert [manifest["key"] for manifest in Store(place).steps()] == [STEP.key]
    assert [(use.name, use.cached, use.detail) for use in store.log] == [("ask", False, "pool")]
    with pytest.raises(StoreError, match="has no file 'x'"):
        made.path("x")
    with pytest.raises(StoreError, match="has no sound result with the key"):
        store.open("f" * 64)


def test_a_failed_maker_leaves_no_result_but_its_work_which_is_taken_up(place):
    def failing(work):
        maker(work)
        (work.dir / "new-checkpoint").write_text("half")
        (work.dir / "checkpoints" / "state-3").mkdir(parents=True)
        (work.dir / "checkpoints" / "state-3" / "facts.json").write_text("{}")
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        Store(place).make(STEP, failing)
    assert Store(place).get(STEP) is None
    seen = []

    def resuming(work):
        seen.extend(work.journal("parts"))
        assert (work.dir / "checkpoints" / "state-3" / "facts.json").read_text() == "{}"
        assert list(work.out.iterdir()) == []
        maker(work)

    assert Store(place).make(STEP, resuming).manifest["resumed"] is True
    assert seen == [0, 1, 2, 3]


def test_threads_that_race_for_one_key_make_it_once(place):
    barrier, runs, found = threading.Barrier(4), [], []

    def racing():
        barrier.wait()
        found.append(Store(place).make(STEP, lambda work: (runs.append(1), maker(work))).manifest["attempt"])

    threads = [threading.Thread(target=racing) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(runs) == 1
    assert len(found) == 4
    assert len(set(found)) == 1


def test_a_result_that_another_meets_before_its_maker_goes_on_stays(url, monkeypatch):
    """Both use one cache, as processes of one host do; in the end an error comes between commit and return."""
    create, error = Objects.create, []

    def met(objects, name, data):
        created = create(objects, name, data)
        if name.endswith("/manifest.json"):
            assert Store(url).get(STEP).json("parts.json") == [0, 1, 2, 3]
            if error:
                raise error.pop()
        return created

    monkeypatch.setattr(Objects, "create", met)
    made = Store(url).make(STEP, maker)
    assert made.json("parts.json") == [0, 1, 2, 3]
    assert Store(url).make(STEP, not_called).manifest == made.manifest
    error.append(KeyboardInterrupt())
    other = Step("ask", 1, {"k": 6})
    with pytest.raises(KeyboardInterrupt):
        Store(url).make(other, maker)
    assert Store(url).make(other, not_called).json("parts.json") == [0, 1, 2, 3]


def test_who_does_not_wait_is_told_who_makes_the_step(place):
    def busy(work):
        with pytest.raises(StepBusyError, match=r"step 'ask' .* is being made by process \d+ on ") as told:
            Store(place, wait=False).make(STEP, not_called_in_a_thread)
        assert told.value.key == STEP.key
        maker(work)

    def not_called_in_a_thread(work):
        raise AssertionError

    assert Store(place).make(STEP, busy).json("parts.json") == [0, 1, 2, 3]


def test_a_sealed_result_is_read_by_an_unsealed_store_only(place):
    Store(place, unsealed=True).make(STEP, maker, meta={"sealed": True})
    with pytest.raises(SealedError, match="holds gold labels and is sealed"):
        Store(place).get(STEP)


def damage_of(objects, name):
    """Ways to spoil an object."""
    data = objects.read(name)
    return {
        "changed": lambda: objects.write(name, bytes([data[0] ^ 1]) + data[1:]),
        "shortened": lambda: objects.write(name, data[:-2]),
        "removed": lambda: objects.remove(name),
    }


@pytest.mark.parametrize("kind", ["changed", "shortened", "removed"])
def test_damage_is_found_set_aside_and_done_again(url, forget, kind):
    store = Store(url)
    made = store.make(STEP, maker)
    objects = Objects(url)
    damage_of(objects, f"{STEP.key}/{made.manifest['attempt']}/parts.json")[kind]()
    forget()
    with pytest.warns(StoreWarning, match=r"step 'ask' \(.*\) in the store is damaged: file 'parts.json'.*done again"):
        again = Store(url).make(STEP, maker)
    assert again.json("parts.json") == [0, 1, 2, 3]
    assert again.manifest["attempt"] != made.manifest["attempt"]
    names = list(objects.sizes())
    assert [name for name in names if name.startswith("quarantine/") and name.endswith("/manifest.json")]
    assert not [name for name in names if name.startswith((f"{STEP.key}/{made.manifest['attempt']}", "work/"))]
    forget()
    assert Store(url).make(STEP, not_called).json("parts.json") == [0, 1, 2, 3]


def test_a_damaged_manifest_is_set_aside(url):
    Store(url).make(STEP, maker)
    Objects(url).write(f"{STEP.key}/manifest.json", b"{}\n")
    with pytest.warns(StoreWarning, match=r"manifest.json cannot be read"):
        assert Store(url).make(STEP, maker).json("parts.json") == [0, 1, 2, 3]


def test_names_that_leave_their_folder_are_refused_and_nothing_is_written_there(url, forget, tmp_path):
    Store(url).make(STEP, maker)
    objects = Objects(url)
    fields = json.loads(objects.read(f"{STEP.key}/manifest.json"))
    del fields["digest"]
    name = f"../../../../{tmp_path.name}-outside"
    fields["files"] = {name: fields["files"]["parts.json"]}
    objects.write(f"{STEP.key}/manifest.json", encode_manifest(fields))
    forget()
    with pytest.warns(StoreWarning, match=r"manifest.json names '\.\./.*-outside', which is not in its folder"):
        assert Store(url).make(STEP, maker).json("parts.json") == [0, 1, 2, 3]
    other = Step("ask", 1, {"k": 6})
    objects.write(f"work/{other.key}/saved-000001.json", json.dumps({name: {"object": "x", "sha256": ""}}).encode())
    with pytest.warns(StoreWarning, match=r"it names '\.\./.*-outside', which is not in its folder"):
        assert Store(url).make(other, maker).json("parts.json") == [0, 1, 2, 3]
    assert not [path for path in tmp_path.parent.rglob("*-outside")]


def test_damage_of_a_large_file_is_found_when_it_is_asked_for(url, forget, monkeypatch):
    monkeypatch.setattr(outgrow.store.remote, "_AT_ONCE", 5)  # bytes; weights.json has 4, parts.json 10
    made = Store(url).make(STEP, maker)
    name = f"{STEP.key}/{made.manifest['attempt']}/parts.json"
    damage_of(Objects(url), name)["changed"]()
    forget()
    store = Store(url)
    found = store.make(STEP, not_called)
    assert found.json("model/weights.json") == "w"
    assert not (found.folder / "parts.json").exists()
    with (
        pytest.warns(StoreWarning, match="file 'parts.json' has been changed since it was written"),
        pytest.raises(StoreError, match=r"file 'parts.json' has been changed.*run again to redo the step"),
    ):
        found.json("parts.json")
    assert store.make(STEP, maker).json("parts.json") == [0, 1, 2, 3]


def test_a_file_spoilt_in_the_cache_is_fetched_again(url):
    made = Store(url).make(STEP, maker)
    made.path("parts.json").write_text("[0,1,2,9]\n")  # as long as before
    assert Store(url).get(STEP).json("parts.json") == [0, 1, 2, 3]
    made.path("parts.json").unlink()
    assert made.json("parts.json") == [0, 1, 2, 3]
    assert not list(made.folder.rglob("*.tmp"))


def test_a_damaged_copy_of_the_work_is_passed_over(url):
    def failing(work):
        work.journal("parts").append(7)
        raise RuntimeError("boom")

    with pytest.raises(RuntimeError, match="boom"):
        Store(url).make(STEP, failing)
    objects = Objects(url)
    (name,) = [name for name in objects.sizes("work") if "/save-" in name]
    objects.write(name, b"nonsense")
    with pytest.warns(StoreWarning, match=r"unfinished work in .* cannot be used .*parts.jsonl has been changed"):
        made = Store(url).make(STEP, maker)
    assert made.json("parts.json") == [0, 1, 2, 3]


def test_work_that_its_maker_cannot_read_is_set_aside(url):
    calls = []

    def choosy(work):
        calls.append(list(work.journal("parts")))
        if calls[-1] == [7]:
            raise outgrow.store.DamagedWorkError("checkpoint 3 cannot be read")
        if len(calls) == 1:
            work.journal("parts").append(7)
            raise RuntimeError("boom")
        maker(work)

    with pytest.raises(RuntimeError, match="boom"):
        Store(url).make(STEP, choosy)
    with pytest.warns(StoreWarning, match=r"checkpoint 3 cannot be read; moved to .*quarantine/work-.*begins anew"):
        assert Store(url).make(STEP, choosy).manifest["resumed"] is False
    assert calls == [[], [7], []]
    names = list(Objects(url).sizes())
    assert [name for name in names if name.startswith("quarantine/work-")]
    assert not [name for name in names if name.startswith("work/")]


# Leases ------------------------------------------------------------------------------------------------------------


def rival(objects, number, **card):
    """A lease that somebody on another host has created."""
    facts = {"owner": "other", "pid": 9, "host": "node7", "seconds": 0.2, "beat": 0, **card}
    assert objects.create(f"work/{STEP.key}/lease-{number:06d}.json", json.dumps(facts).encode())


def test_who_lost_the_lease_neither_writes_journals_nor_commits(url):
    objects, seen = Objects(url), []

    def stalled(work):
        work.save_json(len(seen), "parts.json")
        if not seen:
            rival(objects, 2)
            work._lease._confirmed = 0.0  # as if the last look were long ago
            with pytest.raises(LeaseLostError, match="process 9 on node7 has taken this step over"):
                work.journal("parts").append(1)
        seen.append(work._lease.number)

    made = Store(url, lease_seconds=60).make(STEP, stalled)  # comes to commit the first time, and may not
    assert seen == [1, 3]  # it was taken up again when the rival had been silent for its 0.2 seconds
    assert made.json("parts.json") == 1
    assert list(objects.sizes()) == [f"{STEP.key}/{made.folder.name}/parts.json", f"{STEP.key}/manifest.json"]


def test_a_beating_lease_is_respected_and_a_silent_one_is_replaced(url, monkeypatch):
    """The watchers' clock is set by hand; each look is by another watcher, as those who wait come and go."""
    clock = [1000.0]
    monkeypatch.setattr(outgrow.store.heartbeat, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    owner = BeatLease(Objects(url), STEP.key, 60)
    assert owner.acquire()
    elsewhere(monkeypatch)

    def look(seconds):
        clock[0] += seconds
        return BeatLease(Objects(url), STEP.key, 900).acquire()

    assert not look(500)  # seen for the first time
    assert not look(59)
    assert owner.beat()
    assert not look(59)  # 118 after the first look, but it has beaten meanwhile
    assert not look(60)
    assert owner.held()
    assert look(1)  # silent for more than the owner's 60 seconds
    assert not owner.beat()
    assert not owner.held()
    assert highest(Objects(url), f"work/{STEP.key}")[0] == 2


def test_a_lease_beats_by_itself(url):
    owner = BeatLease(Objects(url), STEP.key, 0.3)
    assert owner.acquire()
    end = time.monotonic() + 60
    while highest(Objects(url), f"work/{STEP.key}")[1]["beat"] < 2:
        assert time.monotonic() < end
    owner.release()
    assert Objects(url).sizes("work") == {}


def test_of_many_that_see_an_abandoned_lease_one_gets_it(url):
    objects = Objects(url)
    rival(objects, 4, seconds=-1)
    rivals = [BeatLease(Objects(url), STEP.key, 60) for _ in range(4)]
    barrier, got = threading.Barrier(len(rivals)), []

    def run(lease):
        barrier.wait()
        got.append(lease.acquire())

    threads = [threading.Thread(target=run, args=[lease]) for lease in rivals]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(got) == [False, False, False, True]
    (owner,) = [lease for lease in rivals if lease.active]
    assert owner.number == 5
    owner.release()
    assert objects.sizes("work") == {}


def test_a_lease_that_cannot_be_understood_counts_until_it_expires(url, monkeypatch):
    clock = [1000.0]
    monkeypatch.setattr(outgrow.store.heartbeat, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    Objects(url).write(f"work/{STEP.key}/lease-000001.json", b"\0\0")
    lease = BeatLease(Objects(url), STEP.key, 60)
    for seconds, free in [(0, False), (60, False), (1, True)]:  # it promises nothing, so the rival's own 60 count
        clock[0] += seconds
        assert lease.acquire() is free
    lease.release()


def test_work_is_saved_while_it_is_done_and_progress_is_told(url):
    objects = Objects(url)

    def slow(work):
        work.journal("parts").append(0)
        work.progress(3, 8)
        end = time.monotonic() + 60
        while not any("/saved-" in name for name in objects.sizes("work")):
            assert time.monotonic() < end
        while highest(objects, f"work/{STEP.key}")[1].get("progress") != [3, 8]:
            assert time.monotonic() < end
        maker(work)

    Store(url, lease_seconds=0.3).make(STEP, slow, meta={"detail": "pool"})
    assert not objects.sizes("work")


# Backends ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["s3", "folder"])
def test_a_store_is_sent_to_another_process_as_its_name(backend, request, tmp_path):
    where = request.getfixturevalue("s3_url") if backend == "s3" else str(tmp_path / "store")
    store = Store(where)
    store.make(STEP, maker)
    again = pickle.loads(pickle.dumps(store))
    assert again.location == store.location
    assert again.make(STEP, not_called).json("parts.json") == [0, 1, 2, 3]


def test_a_file_url_is_a_folder(tmp_path):
    Store(f"file://{tmp_path}/store").make(STEP, maker)
    assert Store(tmp_path / "store").make(STEP, not_called).json("parts.json") == [0, 1, 2, 3]


def test_a_url_has_no_folder_and_is_no_path(url):
    with pytest.raises(StoreError, match="is not a folder"):
        _ = Store(url).path
    with pytest.raises(StoreError, match="was a URL before it was made a path"):
        Store(Path(url))


def test_a_backend_without_conditional_create_is_refused_unless_one_writes(tmp_path, monkeypatch):
    """What obstore's client for plain HTTP (WebDAV) says is taken from it; a server is not needed to hear it."""
    pytest.importorskip("obstore")
    monkeypatch.setenv("OUTGROW_CACHE", str(tmp_path))
    store = Store("http://127.0.0.1:9/store")
    with pytest.raises(NoConditionalCreateError, match=r"its client has none.*OUTGROW_SINGLE_WRITER=1"):
        store.prepare()


def test_with_a_single_writer_creation_needs_no_condition(tmp_path, monkeypatch):
    place = f"memory://{uuid.uuid4().hex}/store"
    put = type(Objects(place)._store).put

    def unconditional(self, path, data, *, mode="overwrite", **options):
        if mode != "overwrite":
            raise NotImplementedError
        return put(self, path, data, **options)

    monkeypatch.setattr(type(Objects(place)._store), "put", unconditional)
    monkeypatch.setenv("OUTGROW_CACHE", str(tmp_path))
    with pytest.raises(NoConditionalCreateError, match="its client has none"):
        Store(place).make(STEP, not_called)
    monkeypatch.setenv("OUTGROW_SINGLE_WRITER", "1")
    assert Store(place).make(STEP, maker).json("parts.json") == [0, 1, 2, 3]
    assert not Objects(place, single_writer=True).create(f"{STEP.key}/manifest.json", b"x")


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("s3://", "names no bucket"),
        ("simplecache::s3://b/x", "cannot be opened: .*; a store is a folder, or behind s3://, gs:// or az://"),
        ("sftp://b/x", r"cannot be opened: .*Unable to recognise URL .*; a store is a folder, or behind s3://"),
        ("az://b/x", "cannot be opened: .*Account must be specified"),
    ],
)
def test_urls_that_cannot_be_stores(url, text, tmp_path, monkeypatch):
    pytest.importorskip("obstore")
    monkeypatch.setenv("OUTGROW_CACHE", str(tmp_path))
    monkeypatch.delenv("AZURE_STORAGE_ACCOUNT_NAME", raising=False)
    with pytest.raises(StoreError, match=text):
        Store(url)


@pytest.fixture
def cloud():
    """A server that takes a first PUT of a path and refuses others; its URL, and the headers of all."""
    seen, paths = [], set()

    class Handler(BaseHTTPRequestHandler):
        def do_PUT(self):
            self.rfile.read(int(self.headers["content-length"]))
            seen.append(dict(self.headers))
            self.send_response(412 if self.path in paths else 201)
            self.send_header("ETag", '"1"')
            self.end_headers()
            paths.add(self.path)

        def log_message(self, *arguments):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.parametrize(
    ("url", "condition"),
    [
        ("gs://bucket/x", ("x-goog-if-generation-match", "0")),
        ("gcs://bucket/x", ("x-goog-if-generation-match", "0")),
        ("az://container/x", ("if-none-match", "*")),
        ("abfs://container/x", ("if-none-match", "*")),
    ],
)
def test_other_clouds_are_found_by_their_variables_and_asked_to_create_on_condition(
    url, condition, cloud, monkeypatch, tmp_path
):
    pytest.importorskip("obstore")
    names = ("private_key", "private_key_id", "client_email")
    account = {"gcs_base_url": cloud[0], "disable_oauth": True, **dict.fromkeys(names, "")}
    (tmp_path / "account.json").write_text(json.dumps(account))
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT", str(tmp_path / "account.json"))
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", cloud[0])
    objects = Objects(url)
    objects.write("a", b"x", "create")
    with pytest.raises(FileExistsError):
        objects.write("a", b"x", "create")
    assert [headers.get(condition[0]) for headers in cloud[1]] == [condition[1]] * 2


def test_without_obstore_urls_name_the_extra_and_folders_work(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "obstore.store", None)
    monkeypatch.setenv("OUTGROW_CACHE", str(tmp_path))
    with pytest.raises(PrerequisiteError, match=r"needs obstore; install it: pip install 'outgrow\[s3\]'"):
        Store("s3://b/x")
    assert Store(tmp_path / "store").make(STEP, maker).json("parts.json") == [0, 1, 2, 3]


def test_scratch_folders_of_dead_processes_are_removed(tmp_path, monkeypatch):
    monkeypatch.setenv("OUTGROW_CACHE", str(tmp_path))
    own = scratch()
    host, pid, _, rest = own.name.split("-")
    dead = own.with_name(f"{host}-{pid}-1-{rest}")  # that number, but begun at another time
    foreign = own.with_name(f"{'0' * 12}-{pid}-1-{rest}")
    for folder in (dead, foreign):
        folder.mkdir()
    scratch()
    assert own.exists()
    assert foreign.exists()
    assert not dead.exists()

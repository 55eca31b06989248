"""`outgrow status`: results, work under way, abandoned work and damage, for folders and URLs."""

import json
import os
import shutil
import time
import uuid

import pytest

import outgrow.store.artefact
import outgrow.store.lease
from outgrow.store import Step, Store, StoreWarning
from outgrow.store.objects import Objects

RESULT, OTHER, BUSY, STOPPED, GONE = (Step(name, 1, {"i": i}) for i, name in enumerate(["ask", "ask", "a", "b", "c"]))


@pytest.fixture(params=["folder", "memory", "s3"])
def place(request, tmp_path, monkeypatch):
    """An empty store."""
    monkeypatch.setenv("OUTGROW_CACHE", str(tmp_path / "cache"))
    if request.param == "folder":
        return str(tmp_path / "store")
    if request.param == "s3":
        return request.getfixturevalue("s3_url")
    pytest.importorskip("obstore")
    return f"memory://{uuid.uuid4().hex}/store"


def maker(work):
    work.save_json(1, "one.json")  # 2 bytes
    work.save_json([2], "sub/two.json")  # 4 bytes


def failing(work):
    work.journal("parts").append(1)
    raise RuntimeError("boom")


def looked_at(cli, place):
    shown = cli("status", place, "--json")
    assert shown.code == 0, shown.err
    return json.loads(shown.out)


def test_what_is_in_a_store_and_what_is_going_on(place, cli, tmp_path):
    store = Store(place, lease_seconds=6)  # renewed, and progress told, every two seconds
    seconds = [store.make(step, maker).manifest["seconds"] for step in (RESULT, OTHER)]
    with pytest.raises(RuntimeError, match="boom"):
        store.make(STOPPED, failing)

    def busy(work):
        work.journal("parts").append(1)
        work.progress(3, 8)
        end = time.monotonic() + 60
        while True:
            found = looked_at(cli, place)
            (one,) = found["under_way"]
            if one["done"] is not None:
                break
            assert time.monotonic() < end
        assert (one["key"], one["step"], one["detail"]) == (BUSY.key, "a", "pool, seed 0")
        assert (one["done"], one["total"], one["abandoned"]) == (3, 8, "")
        assert one["host"]
        assert one["pid"] > 1
        assert one["since"] <= one["renewed"]
        shown = cli("status", place).out
        assert "under way: 1" in shown
        assert "3/8" in shown
        assert "pool, seed 0" in shown
        maker(work)

    store.make(BUSY, busy, meta={"detail": "pool, seed 0"})
    found = looked_at(cli, place)
    assert found["store"] == store.location
    assert found["under_way"] == []
    assert [(one["key"], one["abandoned"]) for one in found["abandoned"]] == [(STOPPED.key, "stopped")]
    assert [(kind["step"], kind["count"], kind["bytes"]) for kind in found["results"]] == [("a", 1, 6), ("ask", 2, 12)]
    assert found["results"][1]["seconds"] == pytest.approx(sum(seconds))
    assert found["damaged"] == found["quarantined"] == []


def test_work_whose_owner_is_gone_or_silent_is_abandoned(place, cli):
    store = Store(place)
    store.prepare()
    if place.startswith(("memory", "s3")):
        store.make(RESULT, maker)  # so that there is a store

    def lease(step, **changed):
        """What an owner of another kind leaves."""
        card = {"owner": "x", "pid": 7, "started": "1", "host": "node7 boot", "seconds": 60, "step": step.name}
        card |= {"since": "2026-01-01T00:00:00+00:00", "renewed": "2026-01-01T00:00:00+00:00", **changed}
        data = json.dumps(card).encode()
        if "://" in place:
            Objects(place).write(f"work/{step.key}/lease-000001.json", data)
        else:
            path = store.path / "work" / step.key / "lease"
            path.parent.mkdir(parents=True)
            path.write_bytes(data)
            os.utime(path, (1767225600, 1767225600))  # 2026-01-01

    lease(GONE, host=outgrow.store.lease.host(), pid=1, started="0")  # that number, but begun at another time
    lease(STOPPED)
    found = {one["step"]: one for one in looked_at(cli, place)["abandoned"]}
    assert found["c"]["abandoned"] == "its process is gone"
    assert found["b"]["abandoned"].startswith("not renewed for ")
    assert found["b"]["abandoned"].endswith(" s, 60 were promised")
    assert (found["b"]["host"], found["b"]["pid"], found["b"]["renewed"]) == ("node7", 7, "2026-01-01T00:00:00+00:00")
    assert "node7, process 7" in cli("status", place).out


def test_damage_is_listed_and_left_alone(place, cli, tmp_path):
    store = Store(place)
    made = store.make(RESULT, maker)
    store.make(OTHER, maker)
    if "://" in place:
        Objects(place).remove(f"{RESULT.key}/{made.manifest['attempt']}/one.json")
        shutil.rmtree(tmp_path / "cache")
        Objects(place).write(f"{OTHER.key}/manifest.json", b"{}\n")
    else:
        made.path("one.json").unlink()
        outgrow.store.artefact._verified.clear()
        (store.path / OTHER.key / "manifest.json").write_text("{}\n")
    with pytest.warns(StoreWarning, match=r"one.json' is missing"):
        assert Store(place).get(RESULT) is None
    found = looked_at(cli, place)
    assert found["damaged"] == [OTHER.key]
    assert [name.partition("-")[0] for name in found["quarantined"]] == [RESULT.key[:12]]
    assert found == looked_at(cli, place)
    assert f"the manifest of {OTHER.key} cannot be read" in cli("status", place).out


def test_a_store_that_does_not_exist_says_so(place, cli):
    shown = cli("status", place)
    assert shown.code == 2
    assert "there is no store at" in shown.err
    assert place in shown.err

"""Who makes a step: one process at a time, the next one when it is gone, and one result whatever happens."""

import json
import os
import subprocess
import threading
import time

import pytest

import outgrow.store.files
from outgrow.store import LeaseLostError, Step, StepBusyError, Store
from outgrow.store.lease import Lease
from outgrow.store.owners import host, process_started

STEP = Step("ask", 1, {})


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda handle: None)


def card(path, *, pid=1, started="1", host="elsewhere", seconds=60, age=0.0):
    """A lease file as somebody else left it `age` seconds ago."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"owner": "other", "pid": pid, "started": started, "host": host, "seconds": seconds}))
    os.utime(path, (time.time() - age, time.time() - age))


def maker(work):
    work.save_json(os.getpid(), "who.json")


def test_a_lease_is_exclusive_until_released(tmp_path):
    first, second = Lease(tmp_path / "w" / "lease", 60), Lease(tmp_path / "w" / "lease", 60)
    assert first.acquire()
    assert first.held()
    assert not second.acquire()
    assert not second.held()
    second.release()
    assert first.held()
    assert first.holder() == f"process {os.getpid()} on {host()}"
    first.release()
    assert second.acquire()
    second.release()
    assert list((tmp_path / "w").iterdir()) == []


def test_renewal_keeps_a_lease_beyond_its_seconds(tmp_path):
    lease = Lease(tmp_path / "lease", 0.3)  # renewed every tenth of a second
    assert lease.acquire()
    for _ in range(2):
        os.utime(tmp_path / "lease", (0, 0))  # as if it had not been renewed since 1970
        deadline = time.monotonic() + 30
        while (tmp_path / "lease").stat().st_mtime == 0:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert time.time() - (tmp_path / "lease").stat().st_mtime < 30
    lease.release()
    assert list(tmp_path.iterdir()) == []


def test_who_lost_the_lease_does_not_renew_the_successors(tmp_path):
    lease = Lease(tmp_path / "lease", 0.03)
    assert lease.acquire()
    (tmp_path / "lease").unlink()
    card(tmp_path / "lease", age=40)
    before = (tmp_path / "lease").stat().st_mtime
    time.sleep(0.1)
    lease.release()
    assert (tmp_path / "lease").stat().st_mtime == before


def test_a_silent_owner_on_another_host_is_replaced_only_after_its_seconds(tmp_path):
    card(tmp_path / "lease", seconds=60, age=50)
    assert not Lease(tmp_path / "lease", 1).acquire()  # the owner's promise counts, not the rival's
    card(tmp_path / "lease", seconds=60, age=61)
    lease = Lease(tmp_path / "lease", 1000)
    assert lease.acquire()
    lease.release()


def test_a_dead_process_of_this_host_is_replaced_at_once(tmp_path):
    child = subprocess.Popen(["true"])
    started = process_started(child.pid)
    child.wait()
    card(tmp_path / "lease", pid=child.pid, started=started, host=host())
    lease = Lease(tmp_path / "lease", 60)
    assert lease.acquire()
    lease.release()


def test_a_process_number_that_was_given_out_again_counts_as_dead(tmp_path):
    card(tmp_path / "lease", pid=os.getpid(), started=process_started(os.getpid()), host=host())
    lease = Lease(tmp_path / "lease", 60)
    assert not lease.acquire()
    card(tmp_path / "lease", pid=os.getpid(), started="1", host=host())
    assert lease.acquire()
    lease.release()


def test_a_stopped_process_of_this_host_is_replaced_when_it_expires(tmp_path):
    card(tmp_path / "lease", pid=os.getpid(), started=process_started(os.getpid()), host=host(), seconds=5, age=6)
    lease = Lease(tmp_path / "lease", 60)
    assert lease.acquire()
    lease.release()


@pytest.mark.parametrize("text", ["", "{", "[1]", "\0\0"])
def test_a_torn_lease_counts_until_it_expires(tmp_path, text):
    (tmp_path / "lease").write_text(text)
    assert not Lease(tmp_path / "lease", 60).acquire()
    os.utime(tmp_path / "lease", (0, 0))
    lease = Lease(tmp_path / "lease", 60)
    assert lease.acquire()
    lease.release()


def test_of_many_that_see_an_expired_lease_one_gets_it(tmp_path):
    for _ in range(10):
        card(tmp_path / "lease", age=100)
        rivals = [Lease(tmp_path / "lease", 60) for _ in range(6)]
        barrier = threading.Barrier(len(rivals))

        def run(lease, barrier=barrier):
            barrier.wait()
            lease.acquire()

        threads = [threading.Thread(target=run, args=[lease]) for lease in rivals]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert sum(lease.held() for lease in rivals) == 1
        for lease in rivals:
            lease.release()
        assert list(tmp_path.iterdir()) == []


def test_a_live_lease_that_was_grabbed_by_mistake_is_put_back(tmp_path, monkeypatch):
    card(tmp_path / "lease", age=100)
    late, fast = Lease(tmp_path / "lease", 60), Lease(tmp_path / "lease", 60)
    judge = late._abandoned

    def overtaken(seen, renewed):
        verdict = judge(seen, renewed)
        assert fast.acquire()  # between the look at the old lease and its removal
        return verdict

    monkeypatch.setattr(late, "_abandoned", overtaken)
    assert not late.acquire()
    assert fast.held()
    fast.release()


def test_make_waits_for_an_owner_that_falls_silent_and_takes_over(tmp_path):
    begun = time.monotonic()
    card(tmp_path / "work" / STEP.key / "lease", seconds=0.4)
    made = Store(tmp_path).make(STEP, maker)
    assert time.monotonic() - begun >= 0.3
    assert made.json("who.json") == os.getpid()
    assert list((tmp_path / "work").iterdir()) == []


def test_make_without_waiting_names_who_is_at_it(tmp_path):
    card(tmp_path / "work" / STEP.key / "lease", pid=4711, host="node7")
    with pytest.raises(StepBusyError, match=r"step 'ask' .* is being made by process 4711 on node7"):
        Store(tmp_path, wait=False).make(STEP, maker)


def test_a_waiting_thread_gets_the_result_of_the_one_that_makes_it(tmp_path):
    working, results, runs = threading.Event(), [], []

    def slow(work):
        runs.append(1)
        working.set()
        time.sleep(0.15)
        maker(work)

    store = Store(tmp_path)
    thread = threading.Thread(target=lambda: results.append(store.make(STEP, slow)))
    thread.start()
    working.wait()
    results.append(store.make(STEP, slow))
    thread.join()
    assert len(runs) == 1
    assert results[0].folder == results[1].folder


def lose_lease(work):
    """What happens when a process stalls longer than its lease: somebody else takes the step over."""
    (work.dir / "lease").unlink()


def test_of_two_that_finish_the_first_commit_counts_and_the_other_attempt_is_removed(tmp_path):
    def stalled(work):
        work.save_json("late", "who.json")
        lose_lease(work)
        out = work.out.with_name("attempt-hidden")
        work.out.rename(out)  # so that the rival cannot sweep it away: both reach the commit
        assert Store(tmp_path).make(STEP, lambda rival: rival.save_json("first", "who.json")) is not None
        out.rename(work.out) if out.exists() else work.save_json("late", "who.json")

    made = Store(tmp_path).make(STEP, stalled)
    assert made.json("who.json") == "first"
    assert [path.name for path in (tmp_path / STEP.key).glob("attempt-*")] == [made.folder.name]


def test_who_lost_the_lease_stops_at_the_next_append_and_returns_the_others_result(tmp_path):
    reached = []

    def stalled(work):
        work.journal("parts").append("one")
        lose_lease(work)

        def successor(other):
            assert list(other.journal("parts")) == ["one"]
            other.journal("parts").append("two")
            other.save_json(list(other.journal("parts")), "parts.json")

        Store(tmp_path).make(STEP, successor)
        reached.append("before")
        work.journal("parts").append("never")
        reached.append("after")

    assert Store(tmp_path).make(STEP, stalled).json("parts.json") == ["one", "two"]
    assert reached == ["before"]
    assert list((tmp_path / "work").iterdir()) == []


def test_check_raises_for_who_lost_the_lease(tmp_path):
    seen = []

    def stalled(work):
        work.check()
        card(work.dir / "lease", pid=9, host="node7", seconds=0.05)
        try:
            work.check()
        except LeaseLostError as error:
            seen.append(str(error))
            raise

    def finish(work):
        stalled(work) if not seen else maker(work)

    Store(tmp_path).make(STEP, finish)
    assert len(seen) == 1
    assert seen[0].endswith("process 9 on node7 has taken this step over")


def test_without_hard_links_creation_is_exclusive_all_the_same(tmp_path, monkeypatch):
    def no_links(source, target):
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(outgrow.store.files.os, "link", no_links)
    assert outgrow.store.files.publish(tmp_path / "x", b"one")
    assert not outgrow.store.files.publish(tmp_path / "x", b"two")
    assert (tmp_path / "x").read_bytes() == b"one"
    assert [path.name for path in tmp_path.iterdir()] == ["x"]
    made = Store(tmp_path / "store").make(STEP, maker)
    assert Store(tmp_path / "store").open(made.key).json("who.json") == os.getpid()


def test_a_link_whose_reply_was_lost_counts_as_made(tmp_path, monkeypatch):
    link = os.link

    def reply_lost(source, target):
        link(source, target)
        link(source, target)  # the client asks again: FileExistsError

    monkeypatch.setattr(outgrow.store.files.os, "link", reply_lost)
    assert outgrow.store.files.publish(tmp_path / "x", b"one")
    assert not outgrow.store.files.publish(tmp_path / "x", b"two")

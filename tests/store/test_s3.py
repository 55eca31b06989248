"""Processes that share a store on S3 (a real server on loopback): raced, killed, suspended; and S3's own troubles."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from outgrow.core.errors import StoreError
from outgrow.store import Step, Store
from outgrow.store.objects import NoConditionalCreateError, Objects

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and POSIX signals")
KEY = Step("parts", 1, {"parts": 4}).key
PARTS = [{"i": i} for i in range(4)]


def run(mode, folder, url):
    script = Path(__file__).with_name("store_url_processes.py")
    command = [sys.executable, str(script), mode, str(folder), url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    outcome = json.loads(done.stdout)
    objects = outcome.pop("objects")  # one result and nothing else, whatever happened
    attempt = objects[0].split("/")[1]
    assert objects == [f"{KEY}/{attempt}/parts.json", f"{KEY}/manifest.json"]
    return outcome, attempt


def test_processes_that_race_for_one_key_commit_one_result(s3_url, tmp_path):
    outcome, attempt = run("race", tmp_path, s3_url)
    assert outcome == {"runs": 1, "results": [f"{attempt} 3"] * 5}


def test_a_killed_owner_elsewhere_is_replaced_after_its_lease_and_its_work_goes_on(s3_url, tmp_path):
    outcome, _ = run("killed-elsewhere", tmp_path, s3_url)
    assert outcome.pop("seconds") > 1.0  # the owner's promise; the successor's own lease is of ten minutes
    assert outcome == {"resumed": True, "parts": PARTS}


def test_a_killed_owner_on_this_host_is_replaced_at_once(s3_url, tmp_path):
    outcome, _ = run("killed-here", tmp_path, s3_url)
    assert outcome.pop("seconds") < 300  # its lease was of ten minutes
    assert outcome == {"resumed": False, "parts": PARTS}  # it had not come to save its work


def test_a_suspended_owner_that_wakes_up_does_not_commit(s3_url, tmp_path):
    outcome, attempt = run("suspended", tmp_path, s3_url)
    assert outcome == {"code": 0, "parts": PARTS, "attempt": attempt}


def test_an_absent_bucket_is_named_before_anything_is_made(s3_url):
    store = Store("s3://no-such-bucket/store")
    for write in (store.prepare, lambda: store.make(Step("s", 1, {}), lambda work: pytest.fail("made"))):
        with pytest.raises(
            StoreError, match=r"the store s3://no-such-bucket/store cannot be written: .*bucket .*create it"
        ):
            write()


def test_wrong_credentials_are_named(s3_url, monkeypatch):
    store = Store(s3_url)
    with monkeypatch.context() as patch:
        patch.setattr("moto.settings.INITIAL_NO_AUTH_ACTION_COUNT", 0.0)  # the server knows no user at all
        for use in (store.prepare, lambda: store.open(KEY), lambda: list(store.steps())):
            with pytest.raises(StoreError, match=r"refuses access to bucket-.*; check the credentials and rights"):
                use()
    store.prepare()


def test_a_backend_that_overwrites_in_spite_of_the_condition_is_refused(s3_url, monkeypatch):
    """As an S3 look-alike that does not know If-None-Match does."""
    import s3fs

    call = s3fs.S3FileSystem._call_s3

    async def deaf(self, method, *args, **kwargs):
        kwargs.pop("IfNoneMatch", None)
        return await call(self, method, *args, **kwargs)

    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", deaf)
    with pytest.raises(NoConditionalCreateError, match=r"creating the same object twice succeeded.*single_writer=True"):
        Store(s3_url).make(Step("s", 1, {}), lambda work: pytest.fail("made"))
    assert Objects(s3_url).sizes() == {}
    made = Store(s3_url, single_writer=True).make(Step("s", 1, {}), lambda work: work.save_json(1, "x.json"))
    assert made.json("x.json") == 1


def test_a_create_whose_reply_was_lost_counts_as_made(s3_url, monkeypatch):
    import s3fs

    call = s3fs.S3FileSystem._call_s3

    async def asked_twice(self, method, *args, **kwargs):
        if "IfNoneMatch" in kwargs:
            await call(self, method, *args, **kwargs)
        return await call(self, method, *args, **kwargs)

    objects = Objects(s3_url)
    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", asked_twice)
    assert objects.create("a", b"mine")
    monkeypatch.undo()
    assert not objects.create("a", b"another's")
    assert objects.read("a") == b"mine"


def test_two_that_create_at_once_and_hear_of_a_conflict_ask_again(s3_url, monkeypatch):
    """S3 answers 409 ConditionalRequestConflict to both; neither has written."""
    import s3fs

    call, conflicts = s3fs.S3FileSystem._call_s3, [1, 2]

    async def busy(self, method, *args, **kwargs):
        if "IfNoneMatch" in kwargs and conflicts:
            conflicts.pop()
            from botocore.exceptions import ClientError
            from s3fs.errors import translate_boto_error

            said = {"Code": "ConditionalRequestConflict", "Message": "The conditional request cannot succeed"}
            raise translate_boto_error(ClientError({"Error": said}, "PutObject"))
        return await call(self, method, *args, **kwargs)

    objects = Objects(s3_url)
    monkeypatch.setattr(s3fs.S3FileSystem, "_call_s3", busy)
    assert objects.create("a", b"mine")
    assert conflicts == []

"""Processes that share a store on S3 (a real server on loopback): raced, killed, suspended; and S3's own troubles."""

import hashlib
import io
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
            with pytest.raises(StoreError, match=r"refuses access: .*bucket-.*; check the credentials and rights"):
                use()
    store.prepare()


@pytest.fixture
def meddle(monkeypatch):
    """Puts a function between clients and the server: it gets environment, what answers, and how to answer itself."""
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    def between(function):
        true = DomainDispatcherApplication.__call__

        def meddled(application, environment, start_response):
            body = environment["wsgi.input"].read(int(environment.get("CONTENT_LENGTH") or 0))

            def answer():
                return true(application, {**environment, "wsgi.input": io.BytesIO(body)}, start_response)

            return function(environment, answer, start_response)

        monkeypatch.setattr(DomainDispatcherApplication, "__call__", meddled)

    return between


def test_a_backend_that_overwrites_in_spite_of_the_condition_is_refused(s3_url, meddle):
    """As an S3 look-alike that does not know If-None-Match does."""

    def deaf(environment, answer, start_response):
        environment.pop("HTTP_IF_NONE_MATCH", None)
        return answer()

    meddle(deaf)
    with pytest.raises(NoConditionalCreateError, match=r"creating the same object twice succeeded.*single_writer=True"):
        Store(s3_url).make(Step("s", 1, {}), lambda work: pytest.fail("made"))
    assert Objects(s3_url).sizes() == {}
    made = Store(s3_url, single_writer=True).make(Step("s", 1, {}), lambda work: work.save_json(1, "x.json"))
    assert made.json("x.json") == 1


def test_a_create_whose_reply_was_lost_counts_as_made(s3_url, meddle):
    def asked_twice(environment, answer, start_response):
        if "HTTP_IF_NONE_MATCH" in environment and lost:
            list(answer())
            lost.clear()
        return answer()

    objects, lost = Objects(s3_url), [True]
    meddle(asked_twice)
    assert objects.create("a", b"mine")
    assert lost == []
    assert not objects.create("a", b"another's")
    assert objects.read("a") == b"mine"


def test_two_that_create_at_once_and_hear_of_a_conflict_ask_again(s3_url, meddle):
    """S3 answers 409 ConditionalRequestConflict to both; neither has written."""

    def busy(environment, answer, start_response):
        if "HTTP_IF_NONE_MATCH" in environment and conflicts:
            conflicts.pop()
            start_response("409 Conflict", [("Content-Type", "application/xml")])
            return [b"<Error><Code>ConditionalRequestConflict</Code></Error>"]
        return answer()

    objects, conflicts = Objects(s3_url), [1, 2]
    meddle(busy)
    assert objects.create("a", b"mine")
    assert conflicts == []
    assert objects.read("a") == b"mine"


def test_a_large_file_is_sent_fetched_and_copied_in_parts(s3_url, monkeypatch, tmp_path):
    data = os.urandom(1 << 20) * 13  # 13 MiB: two parts of 8 MiB, five pieces of 3 MiB
    (tmp_path / "large").write_bytes(data)
    monkeypatch.setattr("outgrow.store.objects._PIECE", 3 << 20)
    monkeypatch.setattr("outgrow.store.objects._COPIED", 1 << 20)
    objects, digest = Objects(s3_url), hashlib.sha256(data).hexdigest()
    objects.upload(tmp_path / "large", "a/large")
    objects.copy("a/large", "b/large")
    assert objects.sizes() == {"a/large": 13 << 20, "b/large": 13 << 20}
    for name in ("a/large", "b/large"):
        assert objects.download(name, tmp_path / name, digest)
        assert (tmp_path / name).read_bytes() == data
    assert not objects.download("a/large", tmp_path / "other", "0" * 64)
    assert not (tmp_path / "other").exists()


def test_names_and_prefixes_lie_in_the_bucket_letter_by_letter(s3_url):
    """An older store is found where it is, whatever letters its URL has."""
    import boto3

    bucket = s3_url.split("/")[2]
    Objects(f"s3://{bucket}/my%20runs é/#1").write("a b%?.json", b"x")
    assert list(Objects(f"s3://{bucket}").sizes()) == ["my%20runs é/#1/a b%?.json"]
    assert Objects(f"s3://{bucket}/my%20runs é").names() == ["#1"]
    assert boto3.client("s3").get_object(Bucket=bucket, Key="my%20runs é/#1/a b%?.json")["Body"].read() == b"x"


def test_credentials_of_the_aws_files_are_used_where_boto3_is_there(s3_url, monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    (tmp_path / "credentials").write_text("[lab]\naws_access_key_id = a\naws_secret_access_key = b\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "credentials"))
    monkeypatch.setenv("AWS_PROFILE", "lab")
    Objects(s3_url).write("a", b"x")
    assert Objects(s3_url).read("a") == b"x"
    monkeypatch.setenv("AWS_PROFILE", "other")
    with pytest.raises(StoreError, match=r"cannot be opened: .*profile \(other\) could not be found"):
        Objects(s3_url)


def test_a_forked_child_of_a_process_that_used_the_network_is_refused_and_does_not_hang(s3_url):
    objects = Objects(s3_url)
    objects.write("a", b"x")
    pid = os.fork()
    if not pid:
        try:
            objects.read("a")
        except StoreError as error:
            os._exit(7 if "forked" in str(error) and "'spawn'" in str(error) else 1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 7
    assert objects.read("a") == b"x"

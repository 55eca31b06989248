"""Processes that share a store on S3 (a real server on loopback): raced, killed, suspended; and S3's own troubles."""

import os
import subprocess
import sys
from pathlib import Path

import json
import pytest

from outgrow.errors import StoreError
from outgrow.store import Step, Store
from tests import object_server

pytest.importorskip("s3fs")
pytest.importorskip("moto")
KEY = Step("parts", 1, {"parts": 4}).key
PARTS = [{"i": i} for i in range(4)]


@pytest.fixture(scope="module")
def server():
    with object_server.running() as settings:
        yield settings


@pytest.fixture
def url(server, monkeypatch, tmp_path):
    """A store in a bucket of its own."""
    for name, value in server.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("OUTGROW_CACHE", str(tmp_path / "cache"))
    return object_server.new_bucket()


def run(mode, folder, url):
    script = Path(__file__).with_name("store_url_processes.py")
    command = [sys.executable, str(script), mode, str(folder), url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)

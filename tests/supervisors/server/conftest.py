"""The servers of these tests: a fake one, a misbehaving proxy, and `transformers serve` with a microworld model."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))  # for the helpers beside this file

from fake_server import FakeServer
from proxy import Proxy


@pytest.fixture
def fake():
    """Starts fake servers; each is given a script, called for every request."""
    servers = []

    def start(script, **options):
        servers.append(FakeServer(script, **options))
        return servers[-1]

    yield start
    for server in servers:
        server.close()


@pytest.fixture
def proxied():
    """Starts misbehaving proxies in front of a base URL."""
    proxies = []

    def start(upstream, **options):
        proxies.append(Proxy(upstream, **options))
        return proxies[-1]

    yield start
    for proxy in proxies:
        proxy.close()


@pytest.fixture(autouse=True)
def _no_key(monkeypatch):
    """A key of the developer's own has no place in a test."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)

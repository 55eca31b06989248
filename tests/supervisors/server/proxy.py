"""A proxy that misbehaves on a seeded schedule, in front of any OpenAI-compatible server.

Which fault a request meets depends on the seed, on its body (but not the model's name, perhaps a temporary folder) and
on how often that body came before, not on the order of arrival. After `most` faults in a row a body gets through, so a
client that retries that often loses nothing.
"""

import functools
import hashlib
import http.client
import json
import random
import threading
import time
import zlib
from collections import Counter
from typing import NamedTuple
from urllib.parse import urlsplit

from serving import Seen, Sent, Served

FAULTS = ("429", "429 retry-after", "500", "drop", "drop within", "hang", "truncated", "empty", "wrong model", "long")
GIGABYTE = 2**30
_MEBIBYTE = b" " * 2**20
ODD_NUMBERS = b'{"choices": [], "usage": {"prompt_tokens": %s, "completion_tokens": -1}, "created": NaN}' % (b"9" * 401)


@functools.cache
def _bomb():
    """A gigabyte of blanks in gzip: a megabyte."""
    packer = zlib.compressobj(1, wbits=31)
    return b"".join(packer.compress(_MEBIBYTE) for _ in range(GIGABYTE // len(_MEBIBYTE))) + packer.flush()


def _error(status, **headers):
    return Sent(status, b'{"error": {"message": "not now", "type": "busy"}}', headers)


REPLIES = {
    **{str(status): lambda status=status: _error(status) for status in (408, 409, 425, 502, 503, 504, 529)},
    "retry-after beyond the calendar": lambda: _error(429, **{"Retry-After": "Fri, 31 Dec 99999 23:59:59 GMT"}),
    "retry-after infinite": lambda: _error(429, **{"Retry-After": "inf"}),
    "retry-after nothing": lambda: _error(503, **{"Retry-After": "soon", "retry-after-ms": "nan"}),
    "gigabyte": lambda: Sent(body=_MEBIBYTE, times=GIGABYTE // len(_MEBIBYTE)),
    "gigabyte of an error": lambda: Sent(500, _MEBIBYTE, times=GIGABYTE // len(_MEBIBYTE)),
    "gzip bomb": lambda: Sent(body=_bomb(), headers={"Content-Encoding": "gzip"}),
    "broken gzip": lambda: Sent(body=b"\x1f\x8b\x08" + b"nonsense" * 9, headers={"Content-Encoding": "gzip"}),
    "unknown encoding": lambda: Sent(body=b"\x28\xb5\x2f\xfd" * 9, headers={"Content-Encoding": "zstd"}),
    "web page": lambda: Sent(body=b"<html><h1>It works</h1></html>", headers={"Content-Type": "text/html"}),
    "a list": lambda: Sent(body=b"[]"),
    "nothing": lambda: Sent(body=b""),
    "no utf-8": lambda: Sent(body=b"\xff\xfe{\x00"),
    "too deep": lambda: Sent(body=b"[" * 200_000),
    "error with status 200": lambda: Sent(body=b'{"error": {"message": "upstream is busy", "code": 502}}'),
    "no choices": lambda: Sent(body=b'{"id": "x", "object": "completion"}'),
    "choices of numbers": lambda: Sent(body=b'{"choices": [1, 2]}'),
    "odd numbers": lambda: Sent(body=ODD_NUMBERS),
    "not http": lambda: Sent(raw=b"SSH-2.0-OpenSSH_9.6\r\n"),
    "a head that goes on": lambda: Sent(raw=b"HTTP/1.1 200 OK\r\n" + b"x-much: more\r\n" * 100_000),
}
"""Faults whose reply does not depend on the true one."""
ALL_FAULTS = (*FAULTS, *REPLIES)


class Event(NamedTuple):
    """What happened to a request: `fault` is None when the server's own answer went through."""

    digest: str
    n: int
    fault: str | None


class Proxy:
    """Forwards POSTs to `upstream` (a base URL), except for those that meet a fault.

    Args:
        upstream: where the real answers come from.
        seed: of the schedule.
        share: of requests that meet a fault.
        most: faults in a row for one body.
        hang: seconds of the fault `hang`; longer than the client waits.
        weights: of the faults; those not named have 1.
        faults: those that there are.
        gate: called with the number of answers delivered so far, after each.
    """

    def __init__(self, upstream, *, seed=0, share=0.3, most=3, hang=5.0, weights=None, gate=None, faults=FAULTS):
        self._upstream, self._seed, self._share, self._most, self._hang = urlsplit(upstream), seed, share, most, hang
        self._faults, self._weights = faults, [(weights or {}).get(fault, 1.0) for fault in faults]
        self._lock, self._count = threading.Lock(), Counter()
        self._gate = gate or (lambda delivered: None)
        self.events: list[Event] = []
        self._under_way = 0
        self._served = Served(self._answer)
        self.url, self.close = self._served.url, self._served.close

    def delivered(self) -> Counter:
        """How often the true answer to each body was sent."""
        with self._lock:
            return Counter(event.digest for event in self.events if event.fault is None)

    def faults(self) -> Counter:
        with self._lock:
            return Counter(event.fault for event in self.events if event.fault is not None)

    def settle(self) -> None:
        """Wait until every request that came in has been dealt with, also those of a client that is gone."""
        time.sleep(0.2)  # what is still in a socket
        end = time.monotonic() + 120
        while self._under_way and time.monotonic() < end:
            time.sleep(0.02)
        assert not self._under_way

    def _fault(self, body: bytes, n: int) -> str | None:
        asked = json.dumps({**json.loads(body), "model": ""}, sort_keys=True)
        rng = random.Random(f"{self._seed} {n} {asked}")
        if n >= self._most or rng.random() >= self._share:
            return None
        return rng.choices(self._faults, self._weights)[0]

    def _answer(self, seen: Seen) -> Sent:
        digest = hashlib.sha256(seen.body).hexdigest()
        with self._lock:
            n = self._count[digest]
            self._count[digest] += 1
            self._under_way += 1
        try:
            fault = self._fault(seen.body, n)
            sent = self._misbehave(fault, seen) if fault else self._forward(seen)
            with self._lock:
                self.events.append(Event(digest, n, fault))
                delivered = sum(event.fault is None for event in self.events)
        finally:
            with self._lock:
                self._under_way -= 1
        if fault is None:
            self._gate(delivered)
        return sent

    def _misbehave(self, fault: str, seen: Seen) -> Sent:
        if fault in REPLIES:
            return REPLIES[fault]()
        if fault.startswith("429"):
            return Sent(429, b'{"error": {"message": "slow down"}}', {"Retry-After": "1"} if "after" in fault else {})
        if fault == "500":
            return Sent(500, b"Internal Server Error", {"Content-Type": "text/plain"})
        if fault == "drop":
            return Sent(drop="before")
        if fault == "hang":
            return Sent(delay=self._hang, drop="before")
        true = self._forward(seen)
        if fault == "drop within":
            return Sent(body=true.body, drop="within")
        if fault == "truncated":
            return Sent(body=true.body[: len(true.body) // 2])
        reply = json.loads(true.body)
        if fault == "empty":
            reply["choices"] = []
        elif fault == "wrong model":
            reply["model"] = "another/model"
            _say(reply, "an answer of another model")
        else:
            _say(reply, "and so on " * 20_000)
        return Sent(body=json.dumps(reply).encode())

    def _forward(self, seen: Seen) -> Sent:
        connection = http.client.HTTPConnection(self._upstream.hostname, self._upstream.port, timeout=120)
        try:
            connection.request("POST", seen.path, seen.body, {"Content-Type": "application/json"})
            reply = connection.getresponse()
            return Sent(reply.status, reply.read())
        finally:
            connection.close()


def _say(reply, text):
    for choice in reply["choices"]:
        if "message" in choice:
            choice["message"]["content"] = text
        else:
            choice["text"] = text

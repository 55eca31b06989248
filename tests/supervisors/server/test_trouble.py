"""What goes wrong between here and a server: what is tried again, what ends a run, and that nothing is lost."""

import gzip
import json
import logging
import math
import resource
import threading
import time
import traceback
import zlib
from itertools import pairwise

import pytest
from asking import Colours, ask, server
from fake_server import chat, error
from serving import Sent

from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.store import Journal, LeaseLostError

KEY = "sk-4f9a0Qx7LmN2-vT8wz"


def usage_of(table):
    return json.loads(table.schema.metadata[b"usage"])


@pytest.fixture
def journal(tmp_path):
    """Opens the journal of this test, as often as one likes."""
    opened = []

    def open_again():
        opened.append(Journal(tmp_path / "answers.jsonl"))
        return opened[-1]

    yield open_again
    for one in opened:
        one.close()


# Tried again ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "trouble",
    [
        error(429, "slow down"),
        error(503, "busy"),
        Sent(500, b"<html>"),
        Sent(drop="before"),
        Sent(body=b'{"choices": [{"index": 0, "mess', headers={}),
        Sent(body=json.dumps(chat("red")).encode(), drop="within"),
        Sent(body=b"[]"),
        Sent(body=b'{"id": "x"}'),
        Sent(body=b'{"error": {"message": "upstream is busy", "code": 502}}'),
        chat("red", model="another/model"),
        {**chat("red"), "choices": []},
        {**chat("red"), "choices": [{"index": 0}]},
        chat("red " * 1000),
        Sent(400, b"x" * (5 << 20)),  # read no further than 4 MiB and a little, so it is no refusal
        Sent(delay=3.0),
    ],
    ids=range(15),
)  # fmt: skip
def test_trouble_that_passes_is_waited_out(fake, trouble):
    one = fake(lambda asked: trouble if asked.n < 2 else chat("green"))
    table = ask(server(one.url, timeout=0.5 if isinstance(trouble, Sent) and trouble.delay else 20.0))
    assert table["value"].to_pylist() == ["green"]
    assert len(one.asked) == 3
    usage = usage_of(table)
    assert (usage["requests"], usage["retries"], usage["endpoints"]) == (3, 2, {one.url: 3})


def test_a_compressed_reply_is_unpacked_and_never_to_more_than_an_answer_can_have(fake):
    bomb = gzip.compress(b" " * 2**28, 1)
    assert len(bomb) < 2**21
    for encoding, pack in (("gzip", gzip.compress), ("deflate", zlib.compress), ("GZIP", gzip.compress)):
        packed = Sent(body=pack(json.dumps(chat("green")).encode()), headers={"Content-Encoding": encoding})
        one = fake(lambda asked, packed=packed: packed)
        assert ask(server(one.url))["value"].to_pylist() == ["green"]
    one = fake(lambda asked: Sent(body=bomb, headers={"Content-Encoding": "gzip"}))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert ask(server(one.url, retries=1))["finish_reason"].to_pylist() == ["too_long"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024  # KiB


def test_backoff_doubles_and_retry_after_is_honoured(fake):
    times = []

    def script(asked):
        times.append(time.monotonic())
        return [error(503, "busy"), error(503, "busy"), error(429, "x", headers={"Retry-After": "0.8"}), chat("red")][
            asked.n
        ]

    one = fake(script)
    ask(server(one.url, backoff=0.1))
    first, second, asked_for = (b - a for a, b in pairwise(times))
    assert 0.1 <= first < 1.5  # 0.1 and up to 0.1 by chance
    assert 0.2 <= second < 1.5
    assert 0.8 <= asked_for < 2.5


def test_retry_after_holds_back_everybody_and_is_capped(fake):
    times = []

    def script(asked):
        times.append(time.monotonic())
        return error(429, "x", headers={"Retry-After": "3600"}) if len(times) == 1 else chat("red")

    one = fake(script)
    begun = time.monotonic()
    assert ask(server(one.url, concurrency=1, max_wait=0.5), n=2).num_rows == 2
    assert 0.5 <= times[1] - times[0] < 3
    assert time.monotonic() - begun < 8


def test_a_retry_goes_to_another_endpoint_and_a_dead_one_is_rested(fake):
    bad, good = fake(lambda asked: error(500, "down")), fake(lambda asked: chat("red"))
    begun = time.monotonic()
    table = ask(server((bad.url, good.url), concurrency=2, retries=1), n=60)
    assert table["value"].to_pylist() == ["red"] * 60
    # Three failures in a row rest it, for 1, 2, 4, ... seconds; the other worker may have been on its way each time.
    rests = math.ceil(math.log2(time.monotonic() - begun + 1))
    assert 3 <= len(bad.asked) <= 3 + 1 + 2 * rests
    assert len(good.asked) == 60


def test_one_living_endpoint_among_dead_ones_is_found(fake):
    good = fake(lambda asked: chat("red"))
    dead = tuple(f"http://127.0.0.{i}:9/v1" for i in range(1, 5))
    table = ask(server((*dead, good.url), concurrency=1), n=5)
    assert table["value"].to_pylist() == ["red"] * 5


@pytest.mark.parametrize(
    ("trouble", "reason"), [({**chat("x"), "choices": []}, "empty"), (chat("x" * 9999), "too_long")]
)
def test_an_answer_that_stays_odd_is_kept_as_invalid(fake, journal, trouble, reason):
    one = fake(lambda asked: trouble if "colour of 1" in asked.text else chat("green"))
    table = ask(server(one.url, retries=2), n=3, journal=journal())
    assert table["value"].to_pylist() == ["green", None, "green"]
    assert table["finish_reason"].to_pylist() == ["stop", reason, "stop"]
    assert len(one.asked) == 5
    again = ask(server(one.url, retries=2), n=3, journal=journal())
    assert again.equals(table)
    assert len(one.asked) == 5  # not asked again
    assert usage_of(again) == {**usage_of(table), "resumed": 3, "seconds": usage_of(again)["seconds"]}


# The end of a run --------------------------------------------------------------------------------------------


def refusing(after, reply):
    """Answers `after` questions, then gives this reply to all others."""
    lock, count = threading.Lock(), [0]

    def script(asked):
        with lock:
            count[0] += 1
            return chat("green") if count[0] <= after else reply

    return script


def test_a_wrong_key_ends_the_run_and_is_never_shown(fake, journal, monkeypatch, caplog, tmp_path, capfd):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    caplog.set_level(logging.DEBUG)
    words = f"Incorrect API key provided: {KEY} (sent as Bearer {KEY}, begins with {KEY[:9]})"
    refused = error(401, words, code="invalid_api_key", headers={"X-Echo": "no"})
    one = fake(refusing(7, refused))
    with pytest.raises(ConfigError) as caught:
        ask(server(one.url, concurrency=1), n=20, journal=journal())
    message = str(caught.value)
    assert "answered 401: Incorrect API key provided: [key]" in message
    assert "the key in OPENAI_API_KEY was sent" in message
    assert message.endswith("7 of 20 answers are kept; running again goes on from there")
    assert len(one.asked) == 8
    assert {asked.headers["authorization"] for asked in one.asked} == {f"Bearer {KEY}"}

    chain, error_ = [], caught.value
    while error_ is not None:
        chain.append(error_)
        error_ = error_.__cause__ or error_.__context__
    assert len(chain) == 1
    printed = capfd.readouterr()
    frames = [frame for frame, _ in traceback.walk_tb(caught.value.__traceback__)]
    shown = [
        message,
        repr(caught.value),
        caplog.text,
        printed.out,
        printed.err,
        *(repr(r.args) for r in caplog.records),
    ]
    shown += [repr(frame.f_locals) for frame in frames if "outgrow" in frame.f_code.co_filename]
    shown += [path.read_text() for path in tmp_path.rglob("*") if path.is_file()]
    for text in shown:
        for start in range(len(KEY) - 8):
            assert KEY[start : start + 9] not in text


def test_a_key_in_an_answer_is_not_stored(fake, journal, monkeypatch, tmp_path):
    monkeypatch.setenv("OTHER_KEY", KEY)
    one = fake(lambda asked: chat(f"green {asked.headers['authorization']}"))
    table = ask(server(one.url, api_key_env="OTHER_KEY"), journal=journal())
    assert table["text"].to_pylist() == ["green Bearer [key]"]
    assert KEY not in (tmp_path / "answers.jsonl").read_text()


@pytest.mark.parametrize(
    ("reply", "kind", "message"),
    [
        (error(404, "The model `weak-1` does not exist"), ConfigError, "'model' must be a name"),
        (Sent(404, b"Not Found"), ConfigError, "check 'base_url'"),
        (error(400, "unknown parameter"), ConfigError, "unknown parameter.*check"),
        (chat("x", model="another/model"), ConfigError, "from model 'another/model' instead of 'weak-1'.*3 tries"),
        (Sent(body=b"<html>"), ConfigError, r"not a JSON object \(6 bytes\); given up after 3 tries"),
        (error(503, "overloaded"), PrerequisiteError, "answered 503: overloaded.*after 3 tries; try later"),
        (error(429, "You exceeded your quota", code="insufficient_quota"), PrerequisiteError, "cannot pay"),
        (Sent(delay=9.0), PrerequisiteError, "gave no answer in 0.5 s; given up after 3 tries"),
    ],
)  # fmt: skip
def test_what_cannot_go_on_ends_the_run_and_keeps_the_answers(fake, journal, reply, kind, message):
    one = fake(refusing(5, reply))
    timeout = 0.5 if isinstance(reply, Sent) and reply.delay else 20.0
    begun = time.monotonic()
    with pytest.raises(kind, match=message) as caught:
        ask(server(one.url, concurrency=1, retries=2, timeout=timeout), n=9, journal=journal())
    assert str(caught.value).endswith("5 of 9 answers are kept; running again goes on from there")
    assert time.monotonic() - begun < 8
    paid, failed = 5, len(one.asked) - 5

    two = fake(lambda asked: chat("green"))  # mended; with a revision the address would not matter, here it does
    one._script = two._script
    table = ask(server(one.url, concurrency=1), n=9, journal=journal())
    assert table["value"].to_pylist() == ["green"] * 9
    assert len(one.asked) == paid + failed + 4
    usage = usage_of(table)
    assert (usage["resumed"], usage["requests"], usage["retries"]) == (5, 9 + failed, failed)


def test_nobody_at_the_address(journal):
    """Port 9 of this machine has no server; a name ending in .invalid never has an address (RFC 2606)."""
    for url in ("http://127.0.0.1:9/v1", "http://nobody.invalid/v1"):
        begun = time.monotonic()
        with pytest.raises(PrerequisiteError, match=rf"{url}.*given up after 3 tries: is the server running") as caught:
            ask(server(url, retries=50), n=2, journal=journal())
        assert "0 of 2 answers are kept" in str(caught.value)
        assert time.monotonic() - begun < 10


def test_a_server_that_goes_away_is_waited_for_as_long_as_the_retries_last(fake, journal):
    one = fake(lambda asked: chat("green"))
    ask(server(one.url), n=2, journal=journal())
    lost = server(one.url, retries=4)
    one.close()
    with pytest.raises(PrerequisiteError, match=r"after 3 tries.*2 of 3 answers are kept"):
        ask(lost, n=3, journal=journal())


def test_an_error_stops_all_workers_and_keeps_what_was_under_way(fake, journal):
    def script(asked):
        if "colour of 3" in asked.text:
            return error(401, "no")
        return Sent(body=json.dumps(chat("green")).encode(), delay=0.4)

    one = fake(script)
    with pytest.raises(ConfigError, match="3 of 100 answers are kept"):
        ask(server(one.url, concurrency=4), n=100, journal=journal())
    assert len(one.asked) == 4
    records = [record for record in journal() if record["key"] is not None]
    assert sorted(record["key"][0] for record in records) == ["e0", "e1", "e2"]


def test_a_budget_of_requests_holds_over_interrupted_runs(fake, journal):
    one = fake(lambda asked: error(503, "busy") if asked.n == 0 else chat("green"))
    limited = server(one.url, concurrency=3, max_requests=10)
    for _ in range(2):
        with pytest.raises(
            ConfigError, match=r"the budget max_requests: 10 is used up; raise it.*of 9 answers are kept"
        ):
            ask(limited, n=9, journal=journal())
        assert len(one.asked) == 10
    kept = sum(record["key"] is not None for record in journal())
    table = ask(server(one.url, concurrency=3, max_requests=18), n=9, journal=journal())
    assert table["value"].to_pylist() == ["green"] * 9
    assert len(one.asked) == 18  # every question twice, none more often
    assert usage_of(table)["resumed"] == kept
    assert usage_of(table)["requests"] == 18


def test_a_budget_of_tokens_is_not_exceeded(fake, journal):
    """A request is expected to take 12 + 4 tokens, and takes 10 + 2: after 7 there are 84, and 100 is the budget."""
    one = fake(lambda asked: chat("green"))
    with pytest.raises(ConfigError, match=r"max_tokens: 99 is used up: 84 tokens are spent, .* may need 16; raise it"):
        ask(server(one.url, concurrency=1, max_tokens=99), n=20, journal=journal())
    assert len(one.asked) == 7
    table = ask(server(one.url, max_tokens=10_000), n=20, journal=journal())
    assert len(one.asked) == 20
    assert usage_of(table)["prompt_tokens"] + usage_of(table)["completion_tokens"] == 240


def test_requests_keep_to_the_rate(fake):
    one = fake(lambda asked: chat("green"))
    begun = time.monotonic()
    ask(server(one.url, requests_per_minute=600.0), n=18)  # ten at once, then one each tenth of a second
    assert time.monotonic() - begun >= 0.79


# The journal ------------------------------------------------------------------------------------------------


def test_a_journal_of_other_questions_is_left_alone(fake, journal):
    one = fake(lambda asked: chat(f"green {asked.body['max_tokens']}"))
    ask(server(one.url), n=2, journal=journal())
    assert ask(server(one.url, concurrency=1), n=2, journal=journal())["text"].to_pylist() == ["green 4"] * 2
    assert len(one.asked) == 2
    longer = ask(server(one.url, max_new_tokens=9), n=2, journal=journal())
    assert longer["text"].to_pylist() == ["green 9"] * 2
    assert len(one.asked) == 4
    ask(server(one.url, revision="r2"), n=2, journal=journal())
    assert len(one.asked) == 6


def test_extraction_is_done_anew_from_the_journal(fake, journal):
    """What the task reads is no part of the journal, so that a mended extraction needs no new answers."""

    class Mended(Colours):
        def extract(self, text, example, wording):
            return text.strip().casefold()

    one = fake(lambda asked: chat(" GREEN"))
    assert ask(server(one.url), journal=journal())["value"].to_pylist() == [None]
    assert ask(server(one.url), journal=journal(), task=Mended())["value"].to_pylist() == ["green"]
    assert len(one.asked) == 1


def test_a_lost_lease_passes_unchanged(fake):
    class Lost:
        def append(self, record):
            raise LeaseLostError("taken over")

        def __iter__(self):
            return iter(())

    one = fake(lambda asked: chat("green"))
    with pytest.raises(LeaseLostError, match=r"^taken over$"):
        ask(server(one.url), n=9, journal=Lost())


def test_a_missing_extra_is_named(monkeypatch, fake):
    import sys

    for package in ("httpx2", "tenacity"):
        with monkeypatch.context() as patch:
            patch.setitem(sys.modules, package, None)
            with pytest.raises(PrerequisiteError, match=rf'needs {package}; .*pip install "outgrow\[server\]"'):
                ask(server("http://127.0.0.1:9/v1"))

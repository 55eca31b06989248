"""Answers through a proxy that misbehaves: nothing lost, nothing asked twice beyond retries, also over SIGKILL.

Behind the proxy is a real server, `transformers serve` with the microworld model `mini`; the tests that need many
requests in little time have the fake one there.
"""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path

import pytest
from client import make, questions, step_of
from fake_server import completion
from proxy import ALL_FAULTS, FAULTS

import outgrow
from outgrow.core.hashing import sha256_text
from outgrow.supervisors.server import ServerConfig, answer
from outgrow.supervisors.server.plan import Plan

MODELS = Path(outgrow.__file__).parent / "tasks" / "microworld" / "models"
CONCURRENCY = 8


def settings(url, model, **more):
    """`revision` is declared, so that the address is no part of what is asked."""
    return ServerConfig(
        model=model, base_url=url, api="completions", revision="r1",
        **{"concurrency": CONCURRENCY, "retries": 6, "backoff": 0.02, **more},
    )  # fmt: skip


def ask(config, n):
    task, queries = questions(config, n)
    return answer(config, task, queries, source="weak", seed=0)


def digests(config, n):
    """Key of every answer to the digest of the body that asks for it."""
    task, queries = questions(config, n)
    plan = Plan(config, task, queries, "generate", 1, 0.0, 0)
    bodies = {key: json.dumps(plan.request(key).payload(True)).encode() for key in plan.keys}
    return {key: hashlib.sha256(body).hexdigest() for key, body in bodies.items()}


def passes_through(proxy, config, n, plain):
    """The same table through the proxy as without it, and nothing asked more often than faults require."""
    table = ask(config, n)
    assert table.equals(plain)
    wanted = set(digests(config, n).values())
    assert len(wanted) == n
    assert dict(proxy.delivered()) == dict.fromkeys(wanted, 1)
    faults = proxy.faults()
    usage = json.loads(table.schema.metadata[b"usage"])
    assert usage["requests"] == len(proxy.events) == n + faults.total()
    assert usage["retries"] == faults.total()
    assert usage["answers"] == n
    return faults


def killed_and_resumed(proxied, upstream, config, n, folder, plain, kills, **options):
    """SIGKILL after so many answers, each time; then to the end. What is in the journal is not asked for again."""
    enough, limit = threading.Event(), [0]

    def gate(delivered):
        if delivered >= limit[0]:
            enough.set()

    proxy = proxied(upstream, gate=gate, **options)
    config = config.model_copy(update={"base_url": proxy.url})
    digest_of = digests(config, n)
    key = step_of(config, n).key
    arguments = [
        sys.executable,
        str(Path(__file__).with_name("client.py")),
        str(folder),
        config.model_dump_json(),
        str(n),
    ]
    environment = {**os.environ, "PYTHONPATH": str(Path(outgrow.__file__).parent.parent)}
    journaled, repeated, highest = set(), 0, []
    for delivered in [*kills, None]:
        enough.clear()
        limit[0] = n + 1 if delivered is None else delivered
        before = len(proxy.events)
        kept = [digest_of[k] for k in digest_of if k in journaled]
        child = subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if delivered is not None:
            assert enough.wait(300)
            highest.append(peak(child.pid))
            child.kill()
        said = child.communicate(timeout=600)[0]
        assert (child.returncode, said) == (0 if delivered is None else -9, b"")
        proxy.settle()
        asked = {event.digest for event in proxy.events[before:]}
        assert asked.isdisjoint(kept), "an answer in the journal was asked for again"
        if delivered is not None:
            lines = (folder / "work" / key / "answers.jsonl").read_text().splitlines(keepends=True)
            records = [json.loads(line)["r"] for line in lines if line.endswith("\n")]
            journaled = {tuple(record["key"]) for record in records}
            under_way = proxy.delivered().keys() - {digest_of[k] for k in digest_of if k in journaled}
            assert len(under_way) <= config.concurrency, "more answers were lost than requests were under way"
            repeated += len(under_way)
    assert make(folder, config, n).equals(plain)
    assert proxy.delivered().keys() == set(digest_of.values())
    assert proxy.delivered().total() <= n + repeated
    assert repeated <= config.concurrency * len(kills)
    return repeated, max(highest), proxy.faults()


def peak(pid):
    """The most memory that a process has had so far, MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) / 1024


# A fake server behind the proxy ------------------------------------------------------------------------------


def guess(asked):
    """One of the options, by the prompt's hash."""
    colour = ("red", "green", "blue")[int(sha256_text(asked.body["prompt"])[:8], 16) % 3]
    return completion(f" {colour}", logprobs=[[(f" {colour}", -0.5)]])


def test_every_fault_is_overcome(fake, proxied):
    n = 100
    one = fake(guess)
    plain = ask(settings(one.url, "weak-1"), n)
    assert plain["value"].null_count == 0
    proxy = proxied(one.url, seed=11, share=0.5, most=4, hang=4.0, weights={"429 retry-after": 0.2, "hang": 0.2})
    faults = passes_through(proxy, settings(proxy.url, "weak-1", timeout=3.0), n, plain)
    assert set(faults) == set(FAULTS)


def test_sigkill_and_resume_ask_for_nothing_that_is_kept(fake, proxied, tmp_path):
    n = 120
    one = fake(guess)
    config = settings(one.url, "weak-1", timeout=5.0)
    killed_and_resumed(
        proxied, one.url, config, n, tmp_path, ask(config, n), [40],
        seed=2, share=0.3, most=3, weights={"hang": 0.0, "429 retry-after": 0.0},
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads a process's memory from /proc")
def test_a_hostile_server_costs_nothing_and_no_memory(fake, proxied, tmp_path):
    n, concurrency = 3000, 16
    one = fake(guess)
    config = settings(one.url, "weak-1", timeout=4.0, concurrency=concurrency)
    assert len(ALL_FAULTS) == 36
    repeated, memory, faults = killed_and_resumed(
        proxied, one.url, config, n, tmp_path, ask(config, n), [900, 2900], seed=8, share=0.2, most=4, hang=6.0,
        faults=ALL_FAULTS, weights={"429 retry-after": 0.3, "hang": 0.3},
    )  # fmt: skip
    print(f"{repeated} of {n} answers paid twice after two kills, {memory:.0f} MiB at most; {dict(faults)}")
    assert set(faults) == set(ALL_FAULTS)
    assert memory < 400


# A real server behind the proxy ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def transformers_serve(tmp_path_factory):
    """Base URL and model name of `transformers serve`; the chat template passes the text through and adds nothing."""
    for package in ("transformers", "fastapi", "uvicorn", "openai"):
        pytest.importorskip(package, reason="transformers[serving] is not installed")
    folder = tmp_path_factory.mktemp("served") / "mini"
    shutil.copytree(MODELS / "mini", folder)
    (folder / "chat_template.jinja").write_text("{% for m in messages %}{{ m['content'] }}{% endfor %}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(folder)]
    arguments += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--dtype", "float32"]
    log = folder.with_name("log.txt")
    with log.open("wb") as out:
        process = subprocess.Popen(arguments, stdout=out, stderr=subprocess.STDOUT)
        try:
            end = time.monotonic() + 180
            while True:
                assert process.poll() is None, log.read_text()[-2000:]
                assert time.monotonic() < end, "transformers serve did not come up"
                try:
                    with urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=5) as reply:
                        if reply.status == 200:
                            break
                except OSError:
                    time.sleep(0.1)
            yield f"http://127.0.0.1:{port}/v1", str(folder)
        finally:
            process.terminate()
            process.wait(30)


def test_transformers_serve_answers_with_both_interfaces(transformers_serve, proxied):
    url, model = transformers_serve
    n = 40
    plain = ask(settings(url, model), n)
    assert set(plain["finish_reason"].to_pylist()) <= {"stop", "length"}
    assert plain["logprob"].null_count == n  # it has none to give
    assert n - plain["value"].null_count >= n // 2  # the model was trained to answer such questions
    proxy = proxied(url, seed=4, share=0.4, weights={"hang": 0.0, "429 retry-after": 0.0})
    assert passes_through(proxy, settings(proxy.url, model, timeout=60.0), n, plain).total() > 0
    chat = ask(settings(url, model).model_copy(update={"api": "chat"}), n)
    assert chat["value"].to_pylist() == plain["value"].to_pylist()


def test_transformers_serve_refuses_what_it_cannot(transformers_serve):
    url, model = transformers_serve
    from outgrow.core.errors import ConfigError

    with pytest.raises(ConfigError, match=r"pinned to.*'model' must be a name that this server serves.*0 of 1 answers"):
        ask(settings(url, "no-such-model"), 1)
    config = settings(url, model)
    task, queries = questions(config, 1)
    with pytest.raises(ConfigError, match=r"prompt must be a string"):
        answer(config, task, queries, source="weak", seed=0, decoding="options")


@pytest.mark.slow
def test_2000_questions_to_a_real_server_through_the_proxy(transformers_serve, proxied):
    url, model = transformers_serve
    n = 2000
    begun = time.monotonic()
    plain = ask(settings(url, model, timeout=60.0), n)
    direct = time.monotonic() - begun
    assert n - plain["value"].null_count >= n // 2
    weights = {"hang": 0.05, "429 retry-after": 0.2}
    proxy = proxied(url, seed=3, share=0.3, hang=25.0, weights=weights)
    faults = passes_through(proxy, settings(proxy.url, model, timeout=20.0), n, plain)
    assert set(faults) == set(FAULTS)
    print(f"{direct:.0f} s without the proxy, {time.monotonic() - begun - direct:.0f} s with it: {dict(faults)}")


@pytest.mark.slow
def test_2000_questions_to_a_real_server_over_sigkill(transformers_serve, proxied, tmp_path):
    url, model = transformers_serve
    n = 2000
    config = settings(url, model, timeout=20.0)
    plain = ask(config, n)
    begun = time.monotonic()
    repeated, _, _ = killed_and_resumed(
        proxied, url, config, n, tmp_path, plain, [500, 1300],
        seed=5, share=0.2, weights={"hang": 0.0, "429 retry-after": 0.1},
    )  # fmt: skip
    print(f"{time.monotonic() - begun:.0f} s; {repeated} answers asked for again")

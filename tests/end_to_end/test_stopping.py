"""Ctrl-C and SIGTERM: one line that says what is kept, the usual exit code, and the same command goes on from there."""

import json
import signal
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

KEPT = "what was made, also of unfinished steps, is in the store"
SIGNALS = [(signal.SIGINT, "Ctrl-C", 130), (signal.SIGTERM, "SIGTERM", 143)]


def start(folder, *arguments):
    """`outgrow ...` in a session of its own; a shell ignores Ctrl-C for what it starts in the background."""
    code = (
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler);"
        "from outgrow.__main__ import main; main()"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(
        command, cwd=folder, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(happened, process):
    end = time.monotonic() + 120
    while not happened():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.02)


def last_line(process, number, code):
    process.send_signal(number)
    out, said = process.communicate(timeout=60)
    assert process.returncode == code, said
    assert "Traceback" not in said + out
    return said.splitlines()[-1]


SMALL = """
name: small
task: {kind: microworld, family: choice, questions: {supervisor_train: 60, pool: 60, validation: 30, test: 30}}
supervisors: [{model: microworld/nano, train: {epochs: 1}}]
student: {model: microworld/mini}
train: {epochs: 300, batch_size: 8, checkpoints: 1}
methods: [naive]
seeds: [0]
"""


@pytest.mark.parametrize(("number", "name", "code", "jobs"), [(*SIGNALS[0], "1"), (*SIGNALS[1], "2")])
def test_a_run_that_is_stopped_says_what_is_kept_and_goes_on(tmp_path, number, name, code, jobs):
    (tmp_path / "small.yaml").write_text(SMALL)
    run = start(tmp_path, "run", "small.yaml", "--jobs", jobs)
    store = tmp_path / "outgrow-store"
    wait_for(lambda: len(list(store.glob("*/manifest.json"))) >= 2, run)
    line = last_line(run, number, code)
    assert line == f"stopped by {name}; {KEPT} outgrow-store: the same command does the rest"
    assert not list((tmp_path / "runs").glob("*/results.json"))
    made = {path.parent.name for path in store.glob("*/manifest.json")}
    if jobs == "2":
        again = start(tmp_path, "run", "small.yaml", "train.epochs=1", "supervisors.0.train.epochs=1", "--jobs", jobs)
        _, said = again.communicate(timeout=120)
        assert again.returncode == 0, said
        steps = json.loads(next((tmp_path / "runs").glob("*/provenance.json")).read_text())["steps"]
        assert {step["key"] for step in steps if step["cached"]} & made


@pytest.mark.parametrize(("number", "name", "code"), SIGNALS)
def test_asking_a_server_that_is_stopped_keeps_the_answers(tmp_path, number, name, code):
    asked, go_on = [], threading.Event()

    class Slow(BaseHTTPRequestHandler):
        def do_POST(self):
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            asked.append(body["messages"][-1]["content"])
            if len(asked) > 3:
                go_on.wait(60)
            message = {"role": "assistant", "content": "x"}
            choices = [{"index": 0, "finish_reason": "stop", "logprobs": None, "message": message}]
            reply = json.dumps({"id": "1", "object": "chat.completion", "model": "m", "choices": choices}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(reply)))
            self.end_headers()
            self.wfile.write(reply)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Slow)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        (tmp_path / "data.csv").write_text("q\n" + "".join(f"question {i}\n" for i in range(6)))
        supervisor = {"kind": "server", "model": "m", "base_url": f"http://127.0.0.1:{server.server_port}/v1"}
        recipe = {
            "task": {"kind": "table", "path": "data.csv", "text": "q", "classes": ["x", "y"]},
            "supervisors": [{**supervisor, "concurrency": 1}],
            "ask": {"variants": 1},
        }
        (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
        label = start(tmp_path, "label", "recipe.yaml", "--out", "a.jsonl")
        wait_for(lambda: len(asked) > 3, label)
        line = last_line(label, number, code)
        assert line == f"stopped by {name}; {KEPT} outgrow-store: the same command does the rest"
        assert not (tmp_path / "a.jsonl").exists()
        go_on.set()
        again = start(tmp_path, "label", "recipe.yaml", "--out", "a.jsonl")
        _, said = again.communicate(timeout=60)
        assert again.returncode == 0, said
        assert len(asked) == 7  # three answers were kept; the fourth question had none yet and is asked again
        assert len(set(asked)) == 6
    finally:
        go_on.set()
        server.shutdown()
        server.server_close()

"""Jobs on a real Ray cluster of several nodes on this machine, and what is said where there is none."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from outgrow.core.errors import PrerequisiteError
from outgrow.execution.on_ray import connect

SCRIPT = Path(__file__).with_name("ray_cluster.py")
_spec = importlib.util.spec_from_file_location("tiny_run", SCRIPT.parent.parent / "end_to_end" / "tiny_run.py")
tiny = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tiny)


@pytest.fixture(scope="module")
def here(tiny_lm, tmp_path_factory):
    """A folder with data, two models and a recipe whose data_dir is relative."""
    folder = tmp_path_factory.mktemp("ray")
    (folder / "data").mkdir()
    tiny.write_data(folder / "data")
    tiny.write_models(folder, tiny.make_model(tiny_lm))
    (folder / "recipe.json").write_text(json.dumps({**tiny.recipe(folder), "data_dir": "data"}))
    return folder


@pytest.fixture(scope="module")
def serial(here):
    """The bytes of `--jobs 1`."""
    recipe = {**json.loads((here / "recipe.json").read_text()), "data_dir": str(here / "data")}
    (here / "serial.json").write_text(json.dumps(recipe))
    outgrow(here, "run", "serial.json", "--store=serial-store", "--out=serial", "--jobs=1")
    return (here / "serial" / "results.json").read_bytes()


def outgrow(folder, *arguments, **environment):
    command = [sys.executable, "-m", "outgrow", *arguments]
    own = {name: value for name, value in os.environ.items() if name != "RAY_ADDRESS"} | environment
    return subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=300, env=own)


def on_cluster(folder, name, how):
    command = [sys.executable, str(SCRIPT), "recipe.json", str(folder / f"{name}-store"), name, how]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=folder, timeout=1500)
    assert ended.returncode == 0, ended.stderr[-3000:]
    found = json.loads(ended.stdout.splitlines()[-1])
    assert found["code"] == 0, found["said"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("seed", ["0", "1"])
def test_three_nodes_of_which_one_is_killed_give_the_bytes_of_the_serial_run(here, serial, seed):
    found = on_cluster(here, f"killed-{seed}", seed)
    print({name: found[name] for name in ("moment", "results", "killed")})
    assert found["running"]
    assert any("raylet" in name for name in found["killed"])
    assert (here / f"killed-{seed}" / "results.json").read_bytes() == serial
    provenance = json.loads((here / f"killed-{seed}" / "provenance.json").read_text())
    assert provenance["on"] == "ray"
    assert len(provenance["times"]) == 13
    assert "13/13" in found["said"]


@pytest.mark.slow
def test_the_client_server_gives_the_same_bytes(here, serial):
    on_cluster(here, "client", "client")
    assert (here / "client" / "results.json").read_bytes() == serial


def test_without_a_cluster_the_address_is_asked_for(here):
    ended = outgrow(here, "run", "recipe.json", "--on=ray", "--store=nowhere", RAY_ADDRESS="nobody")
    assert ended.returncode == 2
    assert "no connection to a Ray cluster at ray: " in ended.stderr
    assert "set RAY_ADDRESS to HOST:PORT of its head" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not (here / "nowhere").exists()


@pytest.mark.parametrize("through", ["ray", "ray://127.0.0.1:{}"])
def test_an_address_where_nobody_listens_is_told_at_once(monkeypatch, through):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, and not listening
        port = taken.getsockname()[1]
        monkeypatch.setenv("RAY_ADDRESS", f"127.0.0.1:{port}")
        with pytest.raises(PrerequisiteError, match=rf"no Ray cluster answers at (ray://)?127.0.0.1:{port}: .*refused"):
            connect(None, through.format(port))


def test_without_ray_the_extra_is_named(here, cli, monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    found = cli("run", here / "recipe.json", "--on", "ray://head:10001")
    assert (found.code, found.out) == (2, "")
    assert "pip install 'outgrow[ray]'" in found.err


OUTCOMES = """
import pickle, sys
from types import SimpleNamespace
import ray
from ray import exceptions as errors
from outgrow.experiment.graph import Job
from outgrow.execution import Died, Failed, Finished
from outgrow.execution.on_ray import Tasks, _job, version

job, world = Job(0, "naive"), {}
def get(ref, timeout=None):
    if isinstance(world[ref], Exception):
        raise world[ref]
    return world[ref]
fake = SimpleNamespace(exceptions=errors, get=get)
tasks = Tasks(fake, None, None, 5)
def outcome(what):
    world["ref"] = what
    return tasks._outcome("ref", job)
assert outcome(errors.WorkerCrashedError()) == Died(job, "its worker on the Ray cluster is gone (WorkerCrashedError)")
for lost in (errors.NodeDiedError("gone"), errors.OutOfMemoryError("full"), errors.LocalRayletDiedError()):
    assert isinstance(outcome(lost), Died), lost
missing = outcome(errors.RayTaskError("f", "Traceback: no module named outgrow", ImportError("outgrow")))
assert isinstance(missing, Failed) and "no module named outgrow" in missing.failure.message, missing
fine = Finished(job, None, 1.0)
assert outcome(fine) is fine
other = _job(None, "Python 3.0 with outgrow 9", job, False, None)
assert other.failure.error == "PrerequisiteError" and other.failure.exit_code == 2
assert f"has {version()}, and this one Python 3.0 with outgrow 9; install the same" in other.failure.message
by_value = ray.cloudpickle.dumps(version)
for name in [name for name in sys.modules if name.partition(".")[0] == "outgrow"]:
    sys.modules[name] = None  # a machine without outgrow is told, instead of failing to read the question
assert pickle.loads(by_value)() == version().partition(" with")[0] + " without outgrow"
print("all as expected")
"""


def test_a_lost_worker_is_told_from_a_job_that_failed(tmp_path):
    """In a process of its own: importing Ray warns of things that are not ours."""
    ended = subprocess.run([sys.executable, "-c", OUTCOMES], capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stdout) == (0, "all as expected\n"), ended.stderr

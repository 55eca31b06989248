"""The verb `plan`: numbers, prices, machines kept in a file, and what is refused."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest
import yaml
from typer.testing import CliRunner

from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.experiment.planning.data_sheets import known_machine
from outgrow.experiment.planning.machine import Machine, Pace, pace_key, read_machine
from outgrow.experiment.planning.memory import Held
from outgrow.experiment.work import Passes
from outgrow.models.known_shapes import KNOWN
from outgrow.models.shapes import shape_of

QUESTIONS = {"supervisor_train": 16, "pool": 24, "validation": 8, "test": 16, "known": 0}
RAW = {
    "task": {"kind": "microworld", "family": "choice", "questions": QUESTIONS},
    "supervisors": [{"model": "microworld/nano", "name": "weak", "train": {"epochs": 1, "batch_size": 8}}],
    "ask": {"variants": 2},
    "student": {"model": "microworld/mini"},
    "train": {"epochs": 1, "batch_size": 8, "checkpoints": 1},
    "methods": ["naive", "majority_vote"],
    "seeds": [0, 1],
}


def run(tmp_path, *arguments, **changes):
    from outgrow.cli.app import app

    file = tmp_path / "recipe.yaml"
    file.write_text(yaml.safe_dump({**RAW, **changes}))
    done = CliRunner().invoke(app, ["plan", str(file), *arguments])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.stdout


def plan(tmp_path, *arguments, **changes):
    return json.loads(run(tmp_path, *arguments, "--json", **changes))


@pytest.fixture(autouse=True)
def _no_machine_of_this_user(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_without_a_machine_there_are_counts_and_memory_and_no_time(tmp_path):
    found = plan(tmp_path)
    assert found["seconds"] is None
    assert [job["name"] for job in found["jobs"]] == [
        "zero_shot", "weak", "naive", "majority_vote", "weak", "naive", "majority_vote",
    ]  # fmt: skip
    assert found["total"]["answers"] == 16 + 2 * ((24 + 16) * 2 + 8) + 4 * (16 + 8)
    assert found["total"]["steps"] == 2 * 2 + 4 * 3
    assert found["total"]["flops"] == pytest.approx(sum(job["flops"] for job in found["jobs"]))
    assert found["total"]["memory"]["total"] == max(job["memory"]["total"] for job in found["jobs"])
    said = run(tmp_path)
    assert "no machine is known" in said
    assert "majority_vote" in said


def test_a_device_of_the_table_gives_time_and_money(tmp_path):
    one = plan(tmp_path, "--device", "h100", "--price-per-hour", "2.5")
    assert one["device_hours"] == pytest.approx(one["seconds"] / 3600)
    assert one["cost"] == pytest.approx(one["device_hours"] * 2.5)
    two = plan(tmp_path, "--device", "H100", "--jobs", "2")
    assert two["seconds"] < one["seconds"]
    assert two["device_hours"] > one["device_hours"]
    assert two["cost"] is None
    assert plan(tmp_path, "--device", "h100", "--mfu", "0.2")["seconds"] > one["seconds"]


def test_several_devices_divide_the_model_and_the_time(tmp_path):
    student = {"model": "meta-llama/Llama-3.1-70B", "dtype": "bfloat16"}
    one, eight = (plan(tmp_path, "--device", "h100", "--devices", n, student=student) for n in ("1", "8"))
    parts = [found["total"]["memory"] for found in (one, eight)]
    assert parts[0]["weights"] == 70_553_706_496 * 6
    assert parts[0]["states"] == 70_553_706_496 * 12
    assert parts[1]["weights"] == 70_553_706_496 * 2  # most is needed where it is asked, whole
    assert "do not fit" in run(tmp_path, "--device", "h100", student=student)
    small = plan(tmp_path, "--device", "h100", student={**student, "quantise": "4bit"}, train={"lora": {}})
    assert small["total"]["memory"]["weights"] < 45e9
    bits, again = (
        plan(tmp_path, "--device", "h100", student=student, train={**RAW["train"], **more})
        for more in ({"optimiser": "adamw_8bit"}, {"activation_checkpointing": True})
    )
    assert bits["total"]["memory"]["states"] == 70_553_706_496 * 6
    assert again["total"]["memory"]["activations"] < parts[0]["activations"] / 3
    assert one["total"]["flops"] < again["total"]["flops"] < one["total"]["flops"] * 1.4


def test_a_servers_tokens_are_charged_by_its_prices(tmp_path):
    server = {"kind": "server", "name": "weak", "model": "m", "base_url": "http://localhost:1/v1"}
    priced = plan(tmp_path, supervisors=[{**server, "prompt_price": 2.0, "completion_price": 4.0}])
    total = priced["total"]
    assert total["requests"] == 2 * 40 + 8  # pool and test in two wordings and validation, greedily: once for all seeds
    assert priced["cost"] == pytest.approx((total["prompt_tokens"] * 2 + total["generated_tokens"] * 4) / 1e6)
    assert total["generated_tokens"] <= total["generated_bound"]
    assert plan(tmp_path, supervisors=[server])["cost"] is None
    assert "give prompt_price" in run(tmp_path, supervisors=[server])


def test_a_measured_pace_decides_the_time_of_its_model(tmp_path):
    shape = shape_of(KNOWN["openai-community/gpt2"], "gpt2")
    pace = Pace(1.0, 0.1, 0.01, 0.001, update=5.0, held=Held(3.0, 2.0, 1.0))
    machine = Machine("m", "cpu", {"float32": 1e11}, 1e10, paces={pace_key(shape, "train", "float32"): pace})
    machine.save(tmp_path / "m.json")
    again = read_machine(tmp_path / "m.json")
    assert again == machine
    work = Passes(2, 30, 400, 5)
    assert again.train(shape, work, "float32", 3, None, bytes_=0) == 2 + 3 + 4 + 0.005 + 15
    assert again.held(shape, None, "float32").of(10, 100, 1) == 30 + 200 + 1
    assert again.held(shape, None, "bfloat16") is None
    formula = replace(machine, paces={}).ask(shape, Passes(0, 1000, 0, 0), "float32", 0)
    spared = 2 * 768 * 3072  # the last feed-forward part, where nothing is read
    assert formula == pytest.approx(2 * (84_934_656 - spared) * 1000 / (1e11 * 0.4))


def test_a_model_is_measured_by_real_passes_and_counted_bytes():
    from transformers import AutoConfig

    from outgrow.experiment.planning.measure import fit, model_pace
    from outgrow.experiment.planning.memory import activations
    from outgrow.models.config import ModelRef
    from outgrow.models.known_shapes import configuration

    assert fit([(3.0, [1.0, 1.0]), (5.0, [1.0, 2.0]), (9.0, [1.0, 4.0])]) == pytest.approx([1.0, 2.0])
    raw = dict(configuration(ModelRef(model="microworld/nano")))
    shape = shape_of(raw, "nano")
    found = model_pace(AutoConfig.for_model(raw.pop("model_type"), **raw), "train", None, 40)
    assert found.update > 0
    assert found.seconds(Passes(1, 1000, 20_000, 100)) > 0
    assert found.held.position == pytest.approx(activations(shape).position, rel=0.15)


@pytest.mark.slow
def test_the_fixed_costs_of_a_run_come_from_a_trial(monkeypatch):
    from outgrow.experiment.planning import calibrate, measure

    monkeypatch.setattr(measure, "product_rate", lambda *_: 1e10)
    monkeypatch.setattr(measure, "bandwidth", lambda: 1e9)
    machine = calibrate.measure_machine(lambda text: None)
    assert machine.start == pytest.approx(36 * machine.job)  # 7.2 and 0.2 of the reference
    assert min(machine.base, machine.adapter_memory) > 1e6
    assert machine.adapter > 0


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--device", "h1000"], "unknown device 'h1000'; did you mean 'h100'"),
        (["--device", "h100", "--mfu", "0"], "mfu is 0.0"),
        (["--device", "h100", "--measure"], "one of them"),
        (["--machine", "nowhere.json"], "cannot be read"),
        (["--shape", "x"], "MODEL=FOLDER"),
        (["student.model=some/unknown-model"], "--shape 'some/unknown-model="),
        (["seeds=[0,0]"], "same seed stands twice"),
    ],
)
def test_bad_input_is_refused_with_what_to_do(tmp_path, arguments, says):
    with pytest.raises(ConfigError, match=says) as caught:
        run(tmp_path, *[a for a in arguments if "=" in a], *[a for a in arguments if "=" not in a])
    assert caught.value.exit_code == 2


def test_a_machine_file_of_another_kind_is_refused(tmp_path):
    for content in ("[]", "{}", '{"format": 1, "name": "x"}', '{"format": 9}', "{"):
        (tmp_path / "m.json").write_text(content)
        with pytest.raises(ConfigError, match=r"m\.json"):
            read_machine(tmp_path / "m.json")
    assert known_machine("A100-80GB", 0.5).fraction == 0.5


def test_without_torch_there_are_counts_alone(tmp_path, monkeypatch):
    import importlib.util

    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "torch" else find(name))
    said = run(tmp_path)
    assert "prompts answered" in said
    assert "outgrow[train]" in said
    with pytest.raises(PrerequisiteError, match="torch"):
        run(tmp_path, "--json")
    assert "torch" in sys.modules or said


def test_where_torch_cannot_be_imported_there_are_counts_all_the_same():
    blocked = """
import importlib.metadata, importlib.util, sys
find, version = importlib.util.find_spec, importlib.metadata.version
def absent(name):
    return name.partition(".")[0] in ("torch", "transformers")
def version_of(name):
    if absent(name):
        raise importlib.metadata.PackageNotFoundError(name)
    return version(name)
class Absent:
    def find_spec(self, name, path=None, target=None):
        if absent(name):
            raise ModuleNotFoundError(f"no {name}")
importlib.metadata.version = version_of
importlib.util.find_spec = lambda name, *more: None if absent(name) else find(name, *more)
sys.meta_path.insert(0, Absent())
from outgrow.cli.app import app
app(["plan"])
"""
    done = subprocess.run([sys.executable, "-c", blocked], capture_output=True, text=True, check=False)
    assert "outgrow[train]" in done.stdout, done.stderr


def test_help_is_short(tmp_path):
    from outgrow.cli.app import app

    said = CliRunner().invoke(app, ["plan", "--help"]).stdout
    assert "Nothing is trained or fetched" in " ".join(said.split())
    assert len(said.splitlines()) < 45

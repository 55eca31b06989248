"""A training that was stopped, even by SIGKILL, ends with the bits of one that was not."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from outgrow.models import ModelRef, load
from outgrow.models.config import Lora
from outgrow.objectives import imitation
from outgrow.training import TrainConfig, TrainRow, fit

ROWS = [TrainRow(f"r{i}", f"w{i} w{i + 1} w3", "yes" if i % 3 else "no") for i in range(10)]
CONFIG = TrainConfig(batch_size=4, learning_rate=3e-3, weight_decay=0.1)
STEPS = 8


class Counting:
    """An objective with state: it counts its steps and adds up its losses, and both change the loss."""

    name, version, of_options, reading = "counting", 1, False, "softmax"

    def __repr__(self):
        return "Counting()"

    def prepare(self, targets):
        return {"steps": 0, "sum": torch.zeros(2)}

    def __call__(self, outputs, batch, progress, state):
        plain = imitation(outputs, batch, progress, state)
        scale = 1 + 0.1 * state["steps"] + state["sum"][0]
        return plain._replace(losses=plain.losses * scale, observed={"loss": plain.losses})

    def advance(self, state, observed):
        return {"steps": state["steps"] + 1, "sum": state["sum"] + 0.01 * observed["loss"].sum()}


def go(folder, work, config=CONFIG, objective=imitation, **options):
    loaded = load(ModelRef(model=str(folder), head="classifier"), ("yes", "no"))  # BERT: with dropout
    found = fit(loaded, ROWS, objective, config, seed=5, total_steps=STEPS, work=work, **options)
    return {name: tensor.clone() for name, tensor in loaded.head.state_dict().items()}, found


def assert_same(one, two):
    assert one[0].keys() == two[0].keys()
    for name in one[0]:
        assert torch.equal(one[0][name], two[0][name]), name
    assert one[1] == two[1]  # history, scores and choice as well


def score(loaded):
    return -float(next(iter(loaded.head.parameters())).detach().abs().sum())


@pytest.mark.parametrize("stop", [1, 4, 8])
@pytest.mark.parametrize(
    ("config", "objective"),
    [
        (CONFIG, imitation),
        (CONFIG, Counting()),
        (CONFIG.model_copy(update={"lora": Lora(r=2, dropout=0.2)}), imitation),
    ],
    ids=["full", "state", "adapter"],
)
def test_training_stopped_after_any_step_ends_with_the_same_bits(tiny_bert, tmp_path, stop, config, objective):
    def stopper(step, total, loss):
        if step == stop:
            raise KeyboardInterrupt

    whole = go(tiny_bert, tmp_path / "whole", config, objective, evaluate=score)
    with pytest.raises(KeyboardInterrupt):
        go(tiny_bert, tmp_path / "work", config, objective, evaluate=score, save_seconds=0.0, progress=stopper)
    seen = []
    again = go(
        tiny_bert,
        tmp_path / "work",
        config,
        objective,
        evaluate=score,
        save_seconds=0.0,
        progress=lambda step, *_: seen.append(step),
    )
    assert seen == list(range(stop + 1, STEPS + 1))  # and nothing is done twice
    assert_same(whole, again)


def test_training_stopped_during_the_evaluation_keeps_the_scores(tiny_bert, tmp_path):
    calls = []

    def dies(loaded):
        calls.append(1)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return score(loaded)

    whole = go(tiny_bert, tmp_path / "whole", evaluate=score)
    with pytest.raises(KeyboardInterrupt):
        go(tiny_bert, tmp_path / "work", evaluate=dies, save_seconds=0.0)
    assert_same(whole, go(tiny_bert, tmp_path / "work", evaluate=dies, save_seconds=0.0))
    assert len(calls) == 4  # two before the stop, the one that died, and the last


def test_training_without_a_saved_state_starts_over_with_the_same_bits(tiny_bert, tmp_path):
    def stopper(step, total, loss):
        if step == 5:
            raise KeyboardInterrupt

    whole = go(tiny_bert, tmp_path / "whole", evaluate=score)
    with pytest.raises(KeyboardInterrupt):
        go(tiny_bert, tmp_path / "work", evaluate=score, progress=stopper)  # no minute has passed: nothing saved
    assert_same(whole, go(tiny_bert, tmp_path / "work", evaluate=score))


def test_half_written_state_is_passed_over(tiny_bert, tmp_path):
    whole = go(tiny_bert, tmp_path / "whole", save_seconds=0.0)
    (tmp_path / "work" / "new-00000099").mkdir(parents=True)
    (tmp_path / "work" / "new-00000099" / "tensors.safetensors").write_bytes(b"\x00")
    (tmp_path / "work" / "new-00000099.safetensors").write_bytes(b"\x00")
    assert_same(whole, go(tiny_bert, tmp_path / "work", save_seconds=0.0))


def test_work_folder_holds_tensors_and_json_only_and_one_state(tiny_bert, tmp_path):
    go(tiny_bert, tmp_path, evaluate=score, save_seconds=0.0)
    assert {file.suffix for file in tmp_path.rglob("*") if file.is_file()} == {".safetensors", ".json"}
    assert len(list(tmp_path.glob("state-*"))) == 1


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {here!r})
import test_resume
def progress(step, total, loss):
    print(step, flush=True)
test_resume.go(sys.argv[1], Path(sys.argv[2]), evaluate=test_resume.score, save_seconds=0.0, progress=progress)
"""


def test_training_killed_by_sigkill_ends_with_the_same_bits(tiny_bert, tmp_path):
    whole = go(tiny_bert, tmp_path / "whole", evaluate=score)
    script = SCRIPT.format(here=str(Path(__file__).parent))
    command = [sys.executable, "-c", script, str(tiny_bert), str(tmp_path / "work")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            if line.strip() == "3":
                break
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    seen = []
    again = go(
        tiny_bert, tmp_path / "work", evaluate=score, save_seconds=0.0, progress=lambda step, *_: seen.append(step)
    )
    assert seen
    assert seen[0] >= 3  # it did not start over
    assert_same(whole, again)

"""What the options of a training promise: memory, speed, the same numbers, and keys that stay."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from outgrow.core.errors import ConfigError, PrerequisiteError
from outgrow.experiment.sources import settings_of
from outgrow.models import ModelRef, load
from outgrow.models.config import Lora
from outgrow.objectives import imitation
from outgrow.objectives.base import Outputs
from outgrow.training import TrainConfig, TrainRow, fit
from outgrow.training.encode import encode, micro_batch
from outgrow.training.memory import recompute_activations

ROWS = [TrainRow(f"r{i}", f"w{i} w{i + 1} w3", "yes" if i % 3 else "no") for i in range(10)]
CONFIG = TrainConfig(batch_size=4, learning_rate=3e-3, weight_decay=0.1)


def train(folder, work, config=CONFIG, steps=6, head="classifier", **options):
    loaded = load(ModelRef(model=str(folder), head=head), ("yes", "no") if head == "classifier" else None)
    found = fit(loaded, ROWS, imitation, config, seed=5, total_steps=steps, work=work, **options)
    return torch.cat([p.detach().flatten() for p in loaded.head.parameters()]), found


def backward(loaded):
    """Loss, gradients and the floats that the forward pass keeps for the way back."""
    sequences, batch = micro_batch(loaded, encode(loaded, ROWS, 64), [[i] for i in range(10)], "mean")
    kept = {}

    def pack(tensor):
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    own = {p.untyped_storage().data_ptr() for p in loaded.head.parameters()}
    loaded.head.train()
    torch.manual_seed(0)  # dropout
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        losses = imitation(Outputs(loaded.head(sequences)), batch, 0.0, {}).losses
    losses.sum().backward()
    gradients = torch.cat([p.grad.flatten() for p in loaded.head.parameters() if p.grad is not None])
    return losses.detach(), gradients, sum(size for place, size in kept.items() if place not in own)


@pytest.mark.parametrize("lora", [None, Lora(r=2, dropout=0.2)], ids=["full", "adapter"])
def test_recomputed_activations_give_the_same_gradients_from_less_memory(tiny_bert, lora):
    """Tolerance 1e-6, dropout included; what is kept is at most half."""
    results = []
    for recompute in (False, True):
        loaded = load(ModelRef(model=str(tiny_bert), head="classifier"), ("yes", "no"))
        if lora is not None:
            from outgrow.models.adapters import add_adapter

            add_adapter(loaded, lora, 0)
        if recompute:
            recompute_activations(loaded)
        results.append(backward(loaded))
    (losses, gradients, whole), (again, same, less) = results
    torch.testing.assert_close(again, losses, rtol=0, atol=1e-6)
    torch.testing.assert_close(same, gradients, rtol=0, atol=1e-6)
    assert float(gradients.norm()) > 0.1
    assert less < 0.5 * whole


def test_training_with_recomputed_activations_is_the_same_training(tiny_bert, tmp_path):
    """Tolerance 1e-6 after six steps; the model keeps nothing of it."""
    weights, found = train(tiny_bert, tmp_path / "a")
    config = CONFIG.model_copy(update={"activation_checkpointing": True})
    same, again = train(tiny_bert, tmp_path / "b", config)
    torch.testing.assert_close(same, weights, rtol=0, atol=1e-6)
    assert [e["loss"] for e in again.history] == pytest.approx([e["loss"] for e in found.history], abs=1e-6)


def test_model_that_cannot_recompute_is_refused(tiny_lm, tmp_path, monkeypatch):
    from transformers import LlamaForCausalLM

    monkeypatch.setattr(LlamaForCausalLM, "supports_gradient_checkpointing", False)
    with pytest.raises(ConfigError, match="activation_checkpointing: true is not supported by LlamaForCausalLM"):
        train(tiny_lm, tmp_path, CONFIG.model_copy(update={"activation_checkpointing": True}), head="lm")


@pytest.fixture(scope="module")
def wide(tiny_lm, tmp_path_factory):
    """As the tiny model, but with matrices of 4,096 weights and more; smaller ones keep their moments in float32."""
    from transformers import AutoTokenizer, LlamaConfig, LlamaForCausalLM

    from outgrow.models.quiet import quiet

    folder = tmp_path_factory.mktemp("wide")
    config = LlamaConfig.from_pretrained(tiny_lm, hidden_size=64, intermediate_size=128, head_dim=16)
    with torch.random.fork_rng(), quiet():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
        AutoTokenizer.from_pretrained(tiny_lm).save_pretrained(folder)
    return folder


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")
def test_moments_in_8_bits_learn_and_resume_with_the_same_bits(wide, tmp_path):
    pytest.importorskip("bitsandbytes")
    config = CONFIG.model_copy(update={"optimiser": "adamw_8bit"})

    def stop(step, total, loss):
        if step == 3:
            raise KeyboardInterrupt

    weights, found = train(wide, tmp_path / "whole", config, steps=12, head="lm")
    exact, reference = train(wide, tmp_path / "exact", steps=12, head="lm")
    assert not torch.equal(weights, exact)  # it is another optimiser
    assert found.history[-1]["loss"] == pytest.approx(reference.history[-1]["loss"], abs=0.05)  # and nearly the same
    with pytest.raises(KeyboardInterrupt):
        train(wide, tmp_path / "work", config, steps=12, head="lm", save_seconds=0.0, progress=stop)
    state = next((tmp_path / "work").glob("state-*")) / "tensors.safetensors"
    from safetensors.torch import load_file

    moments = {key: value for key, value in load_file(state).items() if key.startswith("state1/")}
    assert {value.dtype for value in moments.values() if value.numel() >= 4096} == {torch.uint8}
    again, same = train(wide, tmp_path / "work", config, steps=12, head="lm", save_seconds=0.0)
    assert torch.equal(again, weights)
    assert same == found


def test_8_bit_moments_need_their_package(tiny_lm, tmp_path, monkeypatch):
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "bitsandbytes" else find(name))
    with pytest.raises(PrerequisiteError, match=r'adamw_8bit needs bitsandbytes.*pip install "outgrow\[quantise\]"'):
        train(tiny_lm, tmp_path, CONFIG.model_copy(update={"optimiser": "adamw_8bit"}), head="lm")


COMPILED = """
import json, sys
from pathlib import Path
sys.path.insert(0, {here!r})
import test_options as t
weights, found = t.train(sys.argv[1], Path(sys.argv[2]), steps=3, head="lm")
same, again = t.train(
    sys.argv[1], Path(sys.argv[3]), t.CONFIG.model_copy(update={{"compile": True}}), steps=3, head="lm"
)
from torch._dynamo.utils import counters
losses = [[entry["loss"] for entry in one.history] for one in (found, again)]
print(json.dumps([losses, float((same - weights).abs().max()), counters["stats"]["unique_graphs"]]))
"""


@pytest.mark.slow
def test_compiled_training_is_the_same_training(tiny_lm, tmp_path):
    """Tolerance 1e-5 on losses, 3e-4 on weights: a tenth of what Adam moves in one of the three steps.

    In a process of its own: checks of array shapes, which tests switch on, cannot be compiled.
    """
    script = COMPILED.format(here=str(Path(__file__).parent))
    command = [sys.executable, "-c", script, str(tiny_lm), str(tmp_path / "a"), str(tmp_path / "b")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=560)
    assert done.returncode == 0, done.stderr
    (one, two), difference, graphs = json.loads(done.stdout.splitlines()[-1])
    assert graphs > 0  # something was compiled
    assert two == pytest.approx(one, abs=1e-5)
    assert difference < 3e-4


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_attention_asked_for_is_used(tiny_lm, attention):
    loaded = load(ModelRef(model=str(tiny_lm), attention=attention))
    assert loaded.model.config._attn_implementation == attention


def test_flash_attention_without_its_package_is_refused_with_what_to_do(tiny_lm):
    with pytest.raises(PrerequisiteError, match=r"flash_attention_2 needs a GPU and the package flash-attn.*sdpa"):
        load(ModelRef(model=str(tiny_lm), attention="flash_attention_2"))


def test_options_that_are_off_are_in_no_key():
    """Written by hand: what recipes and keys held before there were these options."""
    assert set(TrainConfig().model_dump(mode="json")) == {
        "epochs", "batch_size", "learning_rate", "schedule", "warmup", "weight_decay", "betas", "max_grad_norm", "lora",
        "together",
        "checkpoints", "max_length", "normalise", "micro_batch_tokens", "precision", "optimiser",
    }  # fmt: skip
    assert set(settings_of(ModelRef(model="m"))) == {"head", "layers", "dtype", "quantise", "pooling", "chat"}
    on = TrainConfig(activation_checkpointing=True, compile=True).model_dump(mode="json")
    assert on["activation_checkpointing"] is on["compile"] is True
    assert settings_of(ModelRef(model="m", attention="eager"))["attention"] == "eager"
    assert TrainConfig(**{**on, "betas": tuple(on["betas"])}).compile

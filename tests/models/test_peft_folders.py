"""A folder that `peft` wrote is a model: its base with the adapter merged."""

import json
import shutil

import numpy as np
import pytest
import torch
from peft import LoraConfig, get_peft_model
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM

from outgrow.core.errors import ConfigError, DataError
from outgrow.models import ModelRef, classify, load, model_hash, save, score_options
from outgrow.models.config import Lora
from outgrow.models.known_shapes import configuration
from outgrow.models.quiet import quiet
from outgrow.objectives import imitation
from outgrow.training import TrainConfig, TrainRow, fit

PROMPTS, OPTIONS = ["question : w1 w2", "question : w3 ?"], [("yes", "no"), ("red", "green blue")]


@pytest.fixture
def adapter(tiny_lm, tmp_path):
    """An adapter that changes much, as peft's own save_pretrained writes it, and the model it makes."""
    with quiet(), torch.random.fork_rng():
        torch.manual_seed(1)
        model = AutoModelForCausalLM.from_pretrained(tiny_lm)
        tuned = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM"))
        for name, weight in tuned.named_parameters():
            if "lora_" in name:
                weight.data.normal_(0, 0.5)
        tuned.save_pretrained(tmp_path / "adapter")
    return tmp_path / "adapter", tuned.eval()


def scores(loaded):
    return np.concatenate([score.logprobs for score in score_options(loaded, PROMPTS, OPTIONS)])


def test_its_scores_are_those_of_peft(adapter, tiny_lm):
    folder, tuned = adapter
    loaded = load(ModelRef(model=str(folder)))
    base = load(ModelRef(model=str(tiny_lm)))
    ids = torch.tensor([loaded.coder.prompts(PROMPTS[:1])[0] + loaded.coder.targets(PROMPTS[:1], ["yes"])[0]])
    with torch.no_grad():
        logs = torch.log_softmax(tuned(input_ids=ids).logits[0].double(), 1)
    expected = float(logs[-3, ids[0, -2]] + logs[-2, ids[0, -1]])
    assert scores(loaded)[0] == pytest.approx(expected, abs=1e-4)
    assert abs(scores(loaded) - scores(base)).max() > 0.1


def test_it_is_trained_saved_and_loaded_as_any_model(adapter, tmp_path):
    ref = ModelRef(model=str(adapter[0]))
    for lora in (None, Lora(r=2)):
        loaded = load(ref)
        rows = [TrainRow("a", PROMPTS[0], "yes"), TrainRow("b", PROMPTS[1], "red")]
        work = tmp_path / f"work {lora}"
        fit(loaded, rows, imitation, TrainConfig(batch_size=2, lora=lora), seed=0, total_steps=3, work=work)
        save(loaded, work / "saved")
        again = load(ref, weights=work / "saved")
        np.testing.assert_allclose(scores(again), scores(loaded), atol=1e-6)


def test_our_own_adapters_are_such_folders(tiny_lm, tmp_path):
    loaded = load(ModelRef(model=str(tiny_lm)))
    rows = [TrainRow("a", PROMPTS[0], "yes"), TrainRow("b", PROMPTS[1], "red")]
    config = TrainConfig(batch_size=2, lora=Lora(r=2), learning_rate=0.05)
    fit(loaded, rows, imitation, config, seed=0, total_steps=5, work=tmp_path / "work")
    save(loaded, tmp_path / "saved")
    np.testing.assert_allclose(scores(load(ModelRef(model=str(tmp_path / "saved")))), scores(loaded), atol=1e-5)


def test_a_classifier_stands_on_the_merged_model(adapter, tiny_lm):
    merged, base = (
        classify(load(ModelRef(model=str(own), head="classifier"), ("a", "b"), seed=1), PROMPTS)
        for own in (adapter[0], tiny_lm)
    )
    assert abs(merged - base).max() > 1e-3


def test_its_hash_changes_with_the_base_and_its_shape_is_the_bases(adapter, tiny_lm, tmp_path):
    ref = ModelRef(model=str(adapter[0]))
    assert configuration(ref)["hidden_size"] == 32
    before = model_hash(ref)
    base = shutil.copytree(tiny_lm, tmp_path / "base")
    renamed(adapter[0], str(base))
    name = model_hash(ref)
    weights = load_file(base / "model.safetensors")
    weights["model.norm.weight"] *= 2
    save_file(weights, base / "model.safetensors", metadata={"format": "pt"})
    assert len({before, name, model_hash(ref)}) == 3


def renamed(folder, base):
    file = folder / "adapter_config.json"
    facts = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(facts | {"base_model_name_or_path": base}), encoding="utf-8")


@pytest.mark.parametrize("base", ["./nowhere", "microworld/none", "", None])
def test_a_base_that_is_not_there_is_named_with_the_file(adapter, base):
    renamed(adapter[0], base)
    with pytest.raises(
        ConfigError, match=r"adapter_config\.json: base_model_name_or_path is .*put the folder or the hub"
    ):
        load(ModelRef(model=str(adapter[0])))


def test_an_adapter_of_another_model_is_refused(adapter):
    folder, _ = adapter
    ref = ModelRef(model=str(folder))
    renamed(folder, "microworld/base")
    with pytest.raises(DataError, match=r"cannot be put on microworld/base.*is that the model it was trained on"):
        load(ref)


def test_an_adapter_with_some_weights_missing_is_refused(adapter):
    folder, _ = adapter
    tensors = load_file(folder / "adapter_model.safetensors")
    tensors.pop(min(tensors))
    save_file(tensors, folder / "adapter_model.safetensors")
    with pytest.raises(DataError, match=r"1 weights such as .*lora_A.* are not those of an adapter"):
        load(ModelRef(model=str(folder)))
    (folder / "adapter_model.safetensors").unlink()
    with pytest.raises(DataError, match="adapter has no weights that are read here"):
        load(ModelRef(model=str(folder)))


def test_a_quantised_adapter_is_refused(adapter):
    pytest.importorskip("bitsandbytes")
    with pytest.raises(ConfigError, match="cannot take an adapter in"):
        load(ModelRef(model=str(adapter[0]), quantise="8bit"))

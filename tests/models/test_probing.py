"""What a model allows is found out beyond the windows it looks back over, whatever these are called."""

import dataclasses

import numpy as np
import pytest
import torch
from transformers import (
    BartConfig,
    BartForCausalLM,
    DeepseekV4Config,
    GPTNeoConfig,
    GPTNeoForCausalLM,
    LlamaConfig,
    MistralConfig,
    Qwen3MoeConfig,
    RecurrentGemmaConfig,
    RecurrentGemmaForCausalLM,
    RobertaConfig,
    RobertaForCausalLM,
)

from outgrow.models import ModelRef, generate, load, probing, score_options
from outgrow.models.quiet import quiet
from outgrow.models.windows import selections, windows

PROMPTS = ["question : " + " ".join(f"w{(7 * i) % 80}" for i in range(n)) for n in (2, 9, 20, 40)]
OPTIONS = [("yes", "no w1", "red w2 w3")] * len(PROMPTS)
SIZES = {"vocab_size": 94, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}


def neo(**options):
    config = GPTNeoConfig(
        hidden_size=32, num_layers=2, num_heads=4, intermediate_size=64, max_position_embeddings=64,
        attention_types=[[["global", "local"], 1]], initializer_range=0.2, **SIZES | options,
    )  # fmt: skip
    return GPTNeoForCausalLM(config)


def bart(encoder_layers=2):
    config = BartConfig(
        d_model=32, decoder_layers=2, decoder_attention_heads=4, decoder_ffn_dim=64, encoder_layers=encoder_layers,
        encoder_attention_heads=4, encoder_ffn_dim=64, max_position_embeddings=64, init_std=0.2,
        forced_eos_token_id=None, **SIZES,
    )  # fmt: skip
    return BartForCausalLM(config)


def griffin():
    config = RecurrentGemmaConfig(
        hidden_size=32, num_hidden_layers=3, num_attention_heads=4, intermediate_size=64, attention_window_size=8,
        lru_width=32, initializer_range=0.2, max_position_embeddings=64, **SIZES,
    )  # fmt: skip
    return RecurrentGemmaForCausalLM(config)


def roberta():
    config = RobertaConfig(
        hidden_size=32, num_hidden_layers=2, num_attention_heads=4, intermediate_size=64, is_decoder=True,
        max_position_embeddings=80, initializer_range=0.2, **SIZES,
    )  # fmt: skip
    return RobertaForCausalLM(config)


@pytest.fixture
def made(tiny_lm, tmp_path):
    """Loads a model with the tokenizer of `tiny_lm`."""

    def make(build):
        with quiet(), torch.random.fork_rng():
            torch.manual_seed(0)
            model = build()
            for part in model.modules():
                if isinstance(part, (torch.nn.Linear, torch.nn.Embedding)):
                    part.weight.data.normal_(0, 0.2)
            model.save_pretrained(tmp_path)
            load(ModelRef(model=str(tiny_lm))).tokenizer.save_pretrained(tmp_path)
        return load(ModelRef(model=str(tmp_path)))

    return make


@torch.no_grad()
def alone(loaded, ids):
    """Log-probabilities at every position of one sequence."""
    logits = loaded.model(input_ids=torch.tensor([ids]), use_cache=False).logits
    return torch.log_softmax(logits[0].double(), dim=1)


def worst(loaded):
    """The largest difference between our scores and those of each option alone, in nats."""
    found = score_options(loaded, PROMPTS, OPTIONS)
    worst = 0.0
    for prompt, options, score in zip(loaded.coder.prompts(PROMPTS), OPTIONS, found, strict=True):
        for option, logprob in zip(options, score.logprobs, strict=True):
            target = loaded.coder.targets(["w"], [option])[0]
            logs = alone(loaded, prompt + target)
            expected = sum(float(logs[len(prompt) - 1 + i, token]) for i, token in enumerate(target))
            worst = max(worst, abs(expected - logprob))
    return worst


def texts_alone(loaded, count):
    found = []
    for prompt in loaded.coder.prompts(PROMPTS):
        tokens = []
        while len(tokens) < count and not (tokens and tokens[-1] in loaded.ends):
            tokens.append(int(alone(loaded, prompt + tokens)[-1].argmax()))
        found.append(loaded.coder.decode([token for token in tokens if token not in loaded.ends]))
    return found


@pytest.mark.parametrize("window", [8, 17])
def test_nothing_is_shared_beyond_a_window_by_another_name(window, made):
    loaded = made(lambda: neo(window_size=window))
    assert not loaded.head.abilities.share  # it counts its window along the whole tree
    assert worst(loaded) < 1e-4
    loaded.head.abilities = dataclasses.replace(loaded.head.abilities, share=True)
    assert worst(loaded) > 0.05  # what sharing would do


def test_nothing_is_shared_where_a_probe_beyond_the_window_costs_too_much(made, monkeypatch):
    parameters = sum(p.numel() for p in made(neo).head.parameters())
    monkeypatch.setitem(probing.COST, "cpu", 10 * parameters)  # passes of at most ten positions
    loaded = made(lambda: neo(window_size=17))
    assert not loaded.head.abilities.share
    assert not loaded.head.abilities.grow
    assert worst(loaded) < 1e-4


def test_a_window_no_text_can_reach_is_none(made):
    assert made(lambda: neo(window_size=64)).head.abilities.window is None


def test_windows_are_found_by_any_name_nested_or_in_a_list_and_sizes_are_not():
    assert windows(GPTNeoConfig()) == [256]
    assert windows(MistralConfig(sliding_window=77)) == [77]
    assert windows(LlamaConfig()) == windows(Qwen3MoeConfig()) == []
    assert windows(MistralConfig(sliding_window=None, further={"attention_window": [16, 32], "n_head": 3})) == [16, 32]
    sparse = DeepseekV4Config()
    assert windows(sparse) == [4, 128, 512]
    assert selections(sparse) == {512}


def uneven():
    """transformers' cache has a layer for each of the encoder's, and its own `generate` fails."""
    return bart(encoder_layers=1)


@pytest.mark.parametrize(
    ("build", "batch"), [(bart, "equal"), (griffin, "equal"), (roberta, "single"), (uneven, "single")]
)
def test_texts_in_batches_are_those_of_whole_passes_one_by_one(build, batch, made):
    loaded = made(build)
    assert not loaded.head.abilities.grow
    assert loaded.head.abilities.batch == batch
    expected = texts_alone(loaded, 8)
    assert [text.text for text in generate(loaded, PROMPTS, max_new_tokens=8)] == expected
    seeds = list(range(4))
    together = generate(loaded, PROMPTS, max_new_tokens=8, temperature=1.0, seeds=seeds)
    single = [
        generate(loaded, [prompt], max_new_tokens=8, temperature=1.0, seeds=[seed])[0]
        for prompt, seed in zip(PROMPTS, seeds, strict=True)
    ]
    assert [text.text for text in together] == [text.text for text in single]
    np.testing.assert_allclose([t.logprob for t in together], [t.logprob for t in single], atol=1e-4)
    assert worst(loaded) < 1e-4


def test_prompts_of_one_length_go_together_within_a_batch_alone():
    batches = [[3, 1, 4], [0, 2]]
    lengths = [5, 9, 5, 9, 7]
    from outgrow.models.generation import apart

    assert apart(batches, lengths, "padded") == batches
    assert apart(batches, lengths, "equal") == [[3, 1], [4], [0, 2]]
    assert apart(batches, lengths, "single") == [[3], [1], [4], [0], [2]]

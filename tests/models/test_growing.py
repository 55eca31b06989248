"""Texts that grow from a shared prompt equal those that a model writes one by one."""

import dataclasses

import pytest
import torch

from outgrow.models import ModelRef, generate, generation, load
from outgrow.models.caching import keep, roomy_cache
from outgrow.models.growing import grow

PROMPTS = ["question : w1 w2 w3", "w4", "w1 w2 w3 w4 w5 w6 answer :"]
NAMES = ["absolute positions", "no positions", "soft-capped", "window", "eager attention"]


def alone(loaded, prompt, **options):
    """By the model's own `generate`, one text at a time, nothing shared."""
    abilities, loaded.head.abilities = loaded.head.abilities, dataclasses.replace(loaded.head.abilities, grow=False)
    try:
        return generate(loaded, [prompt], **options)[0]
    finally:
        loaded.head.abilities = abilities


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_every_architecture_writes_what_it_writes_alone(name, temperature, architecture):
    loaded = architecture(name)
    prompts = [prompt for prompt in PROMPTS for _ in range(4)]
    options = {"max_new_tokens": 7, "temperature": temperature}
    found = generate(loaded, prompts, seeds=list(range(len(prompts))), **options)
    for seed, (prompt, text) in enumerate(zip(prompts, found, strict=True)):
        expected = alone(loaded, prompt, seeds=[seed], **options)
        assert (text.text, text.n_tokens, text.finish_reason) == (
            expected.text, expected.n_tokens, expected.finish_reason
        )  # fmt: skip
        assert text.logprob == pytest.approx(expected.logprob, abs=1e-4)


def test_prompt_is_computed_once_for_its_samples_and_ended_texts_cost_nothing(tiny_lm, monkeypatch):
    """Lengths are dictated: text i of prompt p ends after LENGTHS[p][i] tokens."""
    loaded = load(ModelRef(model=str(tiny_lm)))
    lengths = [[1, 5, 2], [1, 1, 1], [3, 1, 1]]
    flat = [n for own in lengths for n in own]
    widths = []
    inner = loaded.head.forward
    monkeypatch.setattr(
        loaded.head, "forward", lambda batch, cache=None: widths.append(tuple(batch.ids.shape)) or inner(batch, cache)
    )

    def pick(scores, texts, position):
        assert len(scores) == len(texts) == sum(n > position for n in flat)
        tokens = [2 if flat[text] == position + 1 else 5 + text for text in texts]
        return torch.tensor(tokens), torch.zeros(len(texts))

    with torch.inference_mode():
        texts = grow(loaded.head, [[1, 4, 5], [1, 6], [1, 7, 8, 9]], [3, 3, 3], 9, {2}, pick)
    assert [len(text.tokens) for text in texts] == flat
    assert all(text.ended for text in texts)
    # the prompts; then two texts of the first and one of the third; then one each; then the first prompt's alone
    assert widths == [(3, 4), (2, 2), (2, 1), (1, 1), (1, 1)]


def test_many_samples_of_one_prompt_are_split(tiny_lm, monkeypatch):
    loaded = load(ModelRef(model=str(tiny_lm)))
    counts = []
    inner = generation.grow
    monkeypatch.setattr(generation, "grow", lambda *given: counts.append(given[2]) or inner(*given))
    found = generate(loaded, ["w4"] * 40, max_new_tokens=3, temperature=1.0, seeds=list(range(40)))
    assert counts == [[16, 16, 8]]
    assert [g.text for g in found[:2]] == [
        alone(loaded, "w4", max_new_tokens=3, temperature=1.0, seeds=[seed]).text for seed in (0, 1)
    ]


def test_cache_gives_back_what_was_put_in_and_drops_what_is_not_kept():
    cache, gen = roomy_cache(6), torch.Generator().manual_seed(0)
    first, second = torch.randn(3, 2, 4, 5, generator=gen), torch.randn(3, 2, 1, 5, generator=gen)
    keys, values = cache.update(first, 2 * first, 0)
    assert torch.equal(keys, first)
    assert torch.equal(values, 2 * first)
    keep(cache, [2, 0])
    keys, values = cache.update(second[[2, 0]], second[[2, 0]], 0)
    assert torch.equal(keys, torch.cat([first, second], dim=2)[[2, 0]])
    assert torch.equal(values, torch.cat([2 * first, second], dim=2)[[2, 0]])
    assert cache.get_seq_length() == 5

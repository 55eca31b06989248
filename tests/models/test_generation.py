"""Texts: greedy and sampled, each independent of what is generated beside it."""

import numpy as np
import pytest
import torch

from outgrow.core.errors import ConfigError, DataError
from outgrow.models import (
    ModelRef,
    Stage,
    generate,
    generation,
    load,
    score_options,
)
from outgrow.models.generation import draw, uniform
from outgrow.objectives import imitation
from outgrow.training import TrainConfig, TrainRow, fit

PROMPTS = ["question : w1 w2 w3", "w4", "question : w5 ?", "w1 w2 w3 w4 w5 w6 answer :", "w9 w9"]


@pytest.fixture(scope="module")
def loaded(tiny_lm, tmp_path_factory):
    """A model that has learned that texts end, at different lengths."""
    model = load(ModelRef(model=str(tiny_lm)))
    targets = ["yes", "no w1 w2", "red w3 w4 w5 w6", "green", "blue w7"]
    rows = [TrainRow(str(i), p, t) for i, (p, t) in enumerate(zip(PROMPTS, targets, strict=True))]
    config = TrainConfig(batch_size=5, learning_rate=0.01)
    fit(model, rows, imitation, config, seed=0, total_steps=40, work=tmp_path_factory.mktemp("work"))
    return model


def test_end_token_is_learned_so_texts_stop_where_the_targets_did(loaded):
    found = generate(loaded, PROMPTS, max_new_tokens=12)
    assert [g.text for g in found] == ["yes", "no w1 w2", "red w3 w4 w5 w6", "green", "blue w7"]
    assert [g.n_tokens for g in found] == [2, 4, 6, 2, 3]
    assert {g.finish_reason for g in found} == {"stop"}


def test_text_that_is_cut_says_so(loaded):
    found = generate(loaded, PROMPTS[2:3], max_new_tokens=3)[0]
    assert (found.text, found.n_tokens, found.finish_reason) == ("red w3 w4", 3, "length")


@pytest.mark.parametrize("temperature", [0.0, 1.5])
def test_batches_give_the_texts_of_one_by_one(loaded, temperature):
    seeds = [11, 12, 13, 14, 15]
    together = generate(loaded, PROMPTS, max_new_tokens=8, temperature=temperature, seeds=seeds)
    alone = [
        generate(loaded, [prompt], max_new_tokens=8, temperature=temperature, seeds=[seed])[0]
        for prompt, seed in zip(PROMPTS, seeds, strict=True)
    ]
    assert [g.text for g in together] == [g.text for g in alone]
    np.testing.assert_allclose([g.logprob for g in together], [g.logprob for g in alone], atol=1e-5)


def test_samples_do_not_depend_on_batch_composition_or_order(loaded):
    prompts, seeds = PROMPTS * 3, list(range(15))
    whole = generate(loaded, prompts, max_new_tokens=8, temperature=3.0, seeds=seeds)
    assert len({(g.text) for g in whole}) > 5  # it does sample
    order = [7, 3, 14, 0, 9]
    part = generate(
        loaded, [prompts[i] for i in order], max_new_tokens=8, temperature=3.0, seeds=[seeds[i] for i in order]
    )
    assert [g.text for g in part] == [whole[i].text for i in order]


def test_logprob_is_that_of_the_scored_text(loaded):
    for prompt, text in zip(PROMPTS, generate(loaded, PROMPTS, max_new_tokens=12), strict=True):
        score = score_options(loaded, [prompt], [(text.text,)])[0]
        assert text.logprob == pytest.approx(float(score.logprobs[0]), abs=1e-5)
        assert text.n_tokens == score.n_tokens[0]


def test_logprob_of_a_sample_is_taken_at_temperature_one(loaded):
    seeds = list(range(200, 230))
    found = generate(loaded, ["w4"] * 30, max_new_tokens=12, temperature=2.0, seeds=seeds)
    ended = [g for g in found if g.finish_reason == "stop" and g.text and "[" not in g.text and "<" not in g.text]
    assert ended
    for g in ended:
        score = score_options(loaded, ["w4"], [(g.text,)])[0]
        if score.n_tokens[0] == g.n_tokens:  # no special token was dropped from the text
            assert g.logprob == pytest.approx(float(score.logprobs[0]), abs=1e-4)


def test_draws_follow_the_softmax_at_the_temperature():
    logprobs = torch.log(torch.tensor([[0.1, 0.6, 0.3]])).expand(1000, 3)
    grid = (torch.arange(1000, dtype=torch.float64) + 0.5) / 1000
    counts = torch.bincount(draw(logprobs, 1.0, grid), minlength=3)
    assert counts.tolist() == [100, 600, 300]
    # at temperature 1/2 shares go with the squares: .01, .36, .09 of .46
    counts = torch.bincount(draw(logprobs, 0.5, grid), minlength=3)
    assert counts.tolist() == pytest.approx([1000 * x / 46 for x in (1, 36, 9)], abs=1)


def test_draw_at_the_upper_edge_stays_in_range_and_avoids_impossible_tokens():
    logprobs = torch.tensor([[0.0, -torch.inf]])
    assert draw(logprobs, 1.0, torch.tensor([1 - 2.0**-53], dtype=torch.float64)).tolist() == [0]


def test_uniform_numbers_are_fixed_by_their_parts_and_spread_evenly():
    numbers = np.array([uniform("x", i) for i in range(2000)])
    assert uniform("x", 3) == numbers[3]
    assert ((numbers >= 0) & (numbers < 1)).all()
    assert abs(numbers.mean() - 0.5) < 0.03  # standard error .0065
    assert abs((numbers < 0.25).mean() - 0.25) < 0.04


def test_identical_greedy_prompts_are_generated_once(loaded, monkeypatch):
    calls = []
    inner = generation.grow
    monkeypatch.setattr(generation, "grow", lambda *given: calls.append(given[1:3]) or inner(*given))
    assert len({g.text for g in generate(loaded, ["w4"] * 20, max_new_tokens=4)}) == 1
    assert [(len(prompts), counts) for prompts, counts in calls] == [(1, [1])]


def test_generation_that_was_stopped_goes_on_with_the_same_texts(loaded):
    journal = []
    options = {"max_new_tokens": 6, "temperature": 1.0, "seeds": [1, 2, 3, 4, 5], "token_budget": 20}
    whole = generate(loaded, PROMPTS, **options, stage=Stage(journal, "g"))
    assert len(journal) > 2
    assert generate(loaded, PROMPTS, **options, stage=Stage(journal[:1], "g")) == whole


def test_prompt_that_leaves_no_room_loses_its_beginning_and_says_so(loaded):
    tail = " ".join(f"w{i % 80}" for i in range(55))  # <s> + 55 + 8 new = 64
    short, long = generate(loaded, [tail, "w3 w4 " + tail], max_new_tokens=8)
    assert (short.truncated, long.truncated) == (False, True)
    assert long.text == short.text


def test_sampling_without_seeds_and_impossible_settings_are_refused(loaded):
    with pytest.raises(ConfigError, match="one seed per prompt"):
        generate(loaded, PROMPTS, max_new_tokens=4, temperature=1.0)
    with pytest.raises(ConfigError, match="temperature is -1"):
        generate(loaded, PROMPTS, max_new_tokens=4, temperature=-1.0)
    with pytest.raises(DataError, match="only 64 positions"):
        generate(loaded, PROMPTS, max_new_tokens=64)

"""Scored options equal a slow reference, whatever the packing, batching and architecture."""

import dataclasses

import numpy as np
import pytest
import torch

from outgrow.core.errors import ConfigError, DataError
from outgrow.models import ModelRef, load, score_options, score_texts
from outgrow.models.batches import Stage
from outgrow.models.heads import Abilities

PROMPTS = [
    "question : w1 w2 w3 is ?",
    "question : w4 ?",
    "question : w1 w2 w3 is ?",
    "w5 w6 w7 w8 w9 w10 w11 answer :",
    "w12",
]
OPTIONS = [
    ("yes", "no"),
    ("red", "green w1", "blue w2 w3"),
    ("no", "yes"),
    ("red w3 w4 w5", "red", "red w3"),
    ("w13", "w14"),
]


@torch.no_grad()
def slow(loaded, prompt: str, option: str) -> tuple[float, int]:
    """One option by itself: the whole model, no padding, no sharing; the sum of log-probabilities and its tokens."""
    own = loaded.tokenizer(prompt)["input_ids"]
    target = [*loaded.tokenizer(option, add_special_tokens=False)["input_ids"], loaded.tokenizer.eos_token_id]
    logits = loaded.model(torch.tensor([own + target])).logits[0].double()
    logprobs = torch.log_softmax(logits, dim=1)
    return sum(float(logprobs[len(own) - 1 + i, token]) for i, token in enumerate(target)), len(target)


def check(loaded, tolerance=1e-5):
    found = score_options(loaded, PROMPTS, OPTIONS)
    for prompt, options, score in zip(PROMPTS, OPTIONS, found, strict=True):
        expected = [slow(loaded, prompt, option) for option in options]
        np.testing.assert_allclose(score.logprobs, [x for x, _ in expected], atol=tolerance)
        assert score.n_tokens.tolist() == [n for _, n in expected]
        raised = np.exp([x for x, _ in expected])
        np.testing.assert_allclose(score.probabilities, raised / raised.sum(), atol=tolerance)


def test_scores_equal_one_option_at_a_time_and_include_the_end_token(tiny_lm):
    loaded = load(ModelRef(model=str(tiny_lm)))
    assert loaded.head.abilities == Abilities(direct=True, unmasked=True, share=True, window=None, grow=True, trim=True)
    check(loaded)


@pytest.mark.parametrize("ability", ["direct", "unmasked", "share", "trim"])
def test_scores_are_the_same_without_each_shortcut(tiny_lm, ability):
    loaded = load(ModelRef(model=str(tiny_lm)))
    loaded.head.abilities = dataclasses.replace(loaded.head.abilities, **{ability: False})
    check(loaded)


@pytest.mark.parametrize("budget", [1, 12, 30, 100_000])
def test_scores_do_not_depend_on_the_micro_batches(tiny_lm, budget):
    loaded = load(ModelRef(model=str(tiny_lm)))
    whole = score_options(loaded, PROMPTS, OPTIONS)
    for one, two in zip(whole, score_options(loaded, PROMPTS, OPTIONS, token_budget=budget), strict=True):
        np.testing.assert_allclose(one.logprobs, two.logprobs, atol=1e-5)


EXPECTED = {
    "absolute positions": Abilities(direct=True, unmasked=True, share=True, grow=True, trim=True),
    "no positions": Abilities(direct=True, unmasked=True, share=False),  # distances by the mask; mlp takes two tensors
    "soft-capped": Abilities(direct=False, unmasked=True, share=True, window=8, grow=True, trim=True),
    "window": Abilities(direct=True, unmasked=True, share=True, window=8, grow=True, trim=True),
    "eager attention": Abilities(direct=True, unmasked=True, share=True, grow=True, trim=True),
}


@pytest.mark.parametrize("name", EXPECTED)
def test_every_architecture_scores_as_its_slow_reference(name, architecture):
    loaded = architecture(name)
    assert loaded.head.abilities == EXPECTED[name]
    check(loaded)


def test_identical_prompt_and_options_are_computed_once(tiny_lm, monkeypatch):
    loaded = load(ModelRef(model=str(tiny_lm)))
    seen = []
    forward = type(loaded.head).forward
    monkeypatch.setattr(
        type(loaded.head), "forward", lambda self, batch: seen.append(len(batch.ids)) or forward(self, batch)
    )
    found = score_options(loaded, ["w1"] * 50, [("yes", "no")] * 50)
    assert seen == [1]
    assert len(found) == 50
    assert found[0].logprobs.tolist() == found[49].logprobs.tolist()


def test_length_normalisation_divides_before_the_softmax(tiny_lm):
    loaded = load(ModelRef(model=str(tiny_lm)))
    options = ("yes", "red w3 w4")  # 2 and 4 tokens with the end; 3 and 9 bytes
    plain = score_options(loaded, ["w1"], [options])[0]
    a, b = plain.logprobs
    for kind, (first, second) in {"tokens": (2, 4), "bytes": (3, 9)}.items():
        found = score_options(loaded, ["w1"], [options], length_normalise=kind)[0]
        assert found.logprobs.tolist() == [a, b]  # the sums themselves stay
        expected = 1 / (1 + np.exp(b / second - a / first))
        assert found.probabilities[0] == pytest.approx(expected, abs=1e-12)


def test_prompt_longer_than_the_model_reads_loses_its_beginning_and_says_so(tiny_lm):
    loaded = load(ModelRef(model=str(tiny_lm)))  # 64 positions
    tail = " ".join(f"w{i % 80}" for i in range(61))  # <s> + 61 + "yes" + end = 64
    short, long = score_options(loaded, [tail, "w5 w6 " + tail], [("yes", "no")] * 2)
    assert not short.truncated
    assert long.truncated
    np.testing.assert_allclose(long.logprobs, short.logprobs, atol=1e-5)


def test_option_longer_than_the_model_reads_is_an_error(tiny_lm):
    loaded = load(ModelRef(model=str(tiny_lm)))
    with pytest.raises(DataError, match="targets are never cut"):
        score_options(loaded, ["w1"], [("yes", "w1 " * 64)])


def test_question_without_options_and_wrong_head_are_errors(tiny_lm, tiny_bert):
    with pytest.raises(DataError, match="no options to score"):
        score_options(load(ModelRef(model=str(tiny_lm))), ["w1"], [()])
    with pytest.raises(ConfigError, match="head 'lm'"):
        score_options(load(ModelRef(model=str(tiny_bert), head="classifier"), ("a", "b")), ["w1"], [("a", "b")])


def test_texts_are_scored_token_by_token_and_in_sum(tiny_lm):
    loaded = load(ModelRef(model=str(tiny_lm)))
    prompts, texts = ["w1 w2", "w1 w2", "w3", "w1 w2"], ["yes", "red w3 w4", "no", "yes"]
    sums, parts = (score_texts(loaded, prompts, texts, tokens=tokens) for tokens in (False, True))
    for prompt, text, one, each in zip(prompts, texts, sums, parts, strict=True):
        expected, n_tokens = slow(loaded, prompt, text)
        assert one.logprob == pytest.approx(expected, abs=1e-5)
        assert (one.n_tokens, one.truncated, one.token_logprobs) == (n_tokens, False, None)
        assert len(each.token_logprobs) == n_tokens
        assert each.logprob == pytest.approx(one.logprob, abs=1e-6)
        assert sum(each.token_logprobs) == pytest.approx(expected, abs=1e-5)
    # one token: what plain transformers says of "yes" after the prompt, and then of the end
    ids = loaded.tokenizer("w1 w2 yes")["input_ids"]
    with torch.no_grad():
        logs = torch.log_softmax(loaded.model(torch.tensor([ids])).logits[0].double(), 1)
    by_hand = [float(logs[-2, ids[-1]]), float(logs[-1, loaded.tokenizer.eos_token_id])]
    assert parts[0].token_logprobs == pytest.approx(by_hand, abs=1e-5)


def test_text_scores_do_not_depend_on_the_micro_batches_and_go_on_after_a_stop(tiny_lm):
    loaded = load(ModelRef(model=str(tiny_lm)))
    prompts, texts = [f"w{i} w2" for i in range(6)], ["yes", "red w3 w4", "no"] * 2
    whole, journal = score_texts(loaded, prompts, texts, tokens=True), []
    cut = score_texts(loaded, prompts, texts, tokens=True, token_budget=8, stage=Stage(journal, "s"))
    again = score_texts(loaded, prompts, texts, tokens=True, token_budget=8, stage=Stage(journal[:2], "s"))
    assert cut == again
    for one, two in zip(whole, cut, strict=True):
        assert one.token_logprobs == pytest.approx(two.token_logprobs, abs=1e-5)


def test_text_without_tokens_wrong_head_and_odd_lengths_are_errors(tiny_lm, tiny_bert):
    loaded = load(ModelRef(model=str(tiny_lm)))
    with pytest.raises(DataError, match="has no token to learn from or to score"):
        score_texts(loaded, ["w1"], [" "])
    with pytest.raises(DataError, match="2 prompts but 1 lists of options or texts"):
        score_texts(loaded, ["w1", "w2"], ["yes"])
    with pytest.raises(ConfigError, match="head 'lm'"):
        score_texts(load(ModelRef(model=str(tiny_bert), head="classifier"), ("a", "b")), ["w1"], ["a"])


class Dies(list):
    """A journal whose owner is killed after some entries."""

    def __init__(self, entries, lives):
        super().__init__(entries)
        self.lives = lives

    def append(self, entry):
        if len(self) == self.lives:
            raise KeyboardInterrupt
        super().append(entry)


def test_scoring_that_was_stopped_goes_on_with_the_same_bits(tiny_lm):
    loaded = load(ModelRef(model=str(tiny_lm)))
    whole = score_options(loaded, PROMPTS, OPTIONS, token_budget=12)
    journal = Dies([], lives=2)
    with pytest.raises(KeyboardInterrupt):
        score_options(loaded, PROMPTS, OPTIONS, token_budget=12, stage=Stage(journal, "s"))
    kept = list(journal)
    assert len(kept) == 2
    rest = Dies(kept, lives=100)
    again = score_options(loaded, PROMPTS, OPTIONS, token_budget=12, stage=Stage(rest, "s"))
    assert [score.logprobs.tolist() for score in again] == [score.logprobs.tolist() for score in whole]
    assert list(rest)[:2] == kept


def test_progress_counts_distinct_questions(tiny_lm):
    seen = []
    loaded = load(ModelRef(model=str(tiny_lm)))
    score_options(loaded, PROMPTS, OPTIONS, token_budget=12, progress=lambda done, total: seen.append((done, total)))
    assert seen[-1] == (5, 5)
    assert [done for done, _ in seen] == sorted({done for done, _ in seen})

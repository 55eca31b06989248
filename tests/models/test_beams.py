"""Beam search against all texts there are, and where generated tokens stand in their text."""

import itertools

import numpy as np
import pytest
import torch

from outgrow.core.errors import ConfigError
from outgrow.models import ModelRef, Stage, beam_search, generate, load
from outgrow.models.batching import Sequences
from outgrow.models.text import Coder

PROMPTS = ["question : w1 w2 w3", "w4", "question : w5 ?", "w4"]


@pytest.fixture(scope="module")
def loaded(tiny_lm):
    return load(ModelRef(model=str(tiny_lm)))


def logprobs(loaded, ids):
    """Log-probabilities of the next token behind every position."""
    with torch.no_grad():
        tokens = torch.tensor([ids])
        return torch.log_softmax(loaded.head(Sequences(tokens, None, None, torch.arange(len(ids)))).float(), dim=1)


def test_a_search_as_wide_as_the_vocabulary_is_exhaustive(loaded):
    """Two tokens at most: every text is the end alone, or a token and whatever follows."""
    (end,) = loaded.ends
    prompt = loaded.coder.prompts(PROMPTS[:1])[0]
    first = logprobs(loaded, prompt)[-1]
    size = len(first)
    scores = {(end,): float(first[end])}
    for token in set(range(size)) - {end}:
        second = logprobs(loaded, [*prompt, token])[-1]
        scores |= {(token, other): float(first[token] + second[other]) / 2 for other in range(size)}
    ranked = sorted(scores, key=lambda ids: -scores[ids])
    texts = list(dict.fromkeys(loaded.coder.decode([i for i in ids if i != end]) for ids in ranked))
    found = beam_search(loaded, PROMPTS[:1], beams=size, max_new_tokens=2)[0]
    assert [one.text for one in found[:10]] == texts[:10]
    best = [scores[ids] for ids in ranked[:1]]
    np.testing.assert_allclose([found[0].logprob / found[0].n_tokens], best, atol=1e-5)


def test_tokens_have_the_probability_that_the_model_gives_them(loaded):
    several = beam_search(loaded, PROMPTS, beams=3, max_new_tokens=5)
    for prompt, texts in zip(loaded.coder.prompts(PROMPTS), several, strict=True):
        means = [one.logprob / one.n_tokens for one in texts]
        assert means == sorted(means, reverse=True)
        assert len({one.text for one in texts}) == len(texts) > 1
        for one in texts:
            own = loaded.coder.targets([""], [one.text])[0][:-1] if one.text else []
            ids = [*own, *loaded.ends] if one.finish_reason == "stop" else own
            if len(ids) != one.n_tokens:
                continue  # a token that the text does not show
            forced = logprobs(loaded, prompt + ids)[len(prompt) - 1 : -1]
            np.testing.assert_allclose(one.logprobs, forced[range(len(ids)), ids].tolist(), atol=1e-4)
    assert several[1] == several[3]


def test_batches_and_journals_do_not_matter(loaded):
    together = beam_search(loaded, PROMPTS, beams=2, max_new_tokens=4)
    alone = [beam_search(loaded, [prompt], beams=2, max_new_tokens=4)[0] for prompt in PROMPTS]
    assert [[one.text for one in own] for own in together] == [[one.text for one in own] for own in alone]
    journal = []
    kept = beam_search(loaded, PROMPTS, beams=2, max_new_tokens=4, token_budget=20, stage=Stage(journal, "beams"))
    again = beam_search(loaded, PROMPTS, beams=2, max_new_tokens=4, token_budget=20, stage=Stage(journal, "beams"))
    assert kept == again
    assert len(journal) > 1


def test_one_beam_is_refused(loaded):
    with pytest.raises(ConfigError, match="beams is 1; a beam search keeps at least 2"):
        beam_search(loaded, PROMPTS, beams=1, max_new_tokens=4)


def test_spans_are_where_tokens_stand(loaded):
    for one in itertools.chain(
        generate(loaded, PROMPTS, max_new_tokens=6), *beam_search(loaded, PROMPTS, beams=2, max_new_tokens=6)
    ):
        assert len(one.spans) == len(one.logprobs) == one.n_tokens
        assert "".join(one.text[start:end] for start, end in one.spans) == one.text
        if one.finish_reason == "stop":
            assert one.spans[-1] == (len(one.text), len(one.text))


class _Joined:
    """A tokenizer whose tokens depend on their neighbours: a space stands between words, and none before the first."""

    eos_token_id, added_tokens_decoder, chat_template = 0, {}, None

    def __call__(self, text, **options):
        if isinstance(text, list):
            return {"input_ids": [self(one)["input_ids"] for one in text]}
        return {"input_ids": [len(word) for word in text.split()]}

    def decode(self, ids, skip_special_tokens=False):
        return " ".join("abcdefgh"[:i] for i in ids if i)


def test_spans_of_tokens_that_depend_on_their_neighbours():
    coder = Coder(_Joined())
    assert coder.decode([2, 1, 3, 0]) == "ab a abc"
    assert coder.spans([2, 1, 3, 0]) == [(0, 2), (2, 4), (4, 8), (8, 8)]


def test_bytes_within_a_character_have_no_text_of_their_own(loaded):
    """Characters of several bytes: a token in the middle of one begins and ends where it begins."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    raw = Tokenizer(models.BPE({"<end>": 0, **{letter: i for i, letter in enumerate(alphabet, 1)}}, []))
    raw.pre_tokenizer, raw.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    coder = Coder(PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<end>"))
    (ids,) = coder.targets([""], ["aé!"])
    assert coder.decode(ids[:-1]) == "aé!"
    assert coder.spans(ids) == [(0, 1), (1, 1), (1, 2), (2, 3), (3, 3)]

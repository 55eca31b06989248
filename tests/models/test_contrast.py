"""Scores of a base model moved along the difference of two others: by hand, in texts, and where that cannot be."""

import math

import pytest
import torch

from outgrow.core.errors import ConfigError
from outgrow.models import ModelRef, generate, load, score_options
from outgrow.models.batching import Sequences
from outgrow.models.contrast import ContrastHead, contrast
from outgrow.models.generation import Pick
from outgrow.models.heads import LanguageHead
from outgrow.models.unshared import write_slowly

PROMPTS = ["w1 w2 w3", "w1 w2", "w7", "w1 w2 w3"]


def moved(folder, seed, size=0.3):
    loaded = load(ModelRef(model=str(folder)))
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in loaded.head.parameters():
            parameter.add_(size * parameter.std() * torch.randn(parameter.shape, generator=generator))
    return loaded


class Fixed(LanguageHead):
    """Says the same scores whatever it reads."""

    def __init__(self, like, scores):
        super().__init__(like.model, like.pad)
        self.scores = torch.tensor([scores])

    def forward(self, batch, cache=None):
        return self.scores


def test_scores_by_hand(tiny_lm):
    """Base (1, 0, 0), plus (0, 2, 0), minus (0, 1, 0): softmax at alpha 0, 1, 2."""
    like, ids = load(ModelRef(model=str(tiny_lm))).head, torch.tensor([[0]])
    heads = [Fixed(like, scores) for scores in ([1.0, 0, 0], [0.0, 2, 0], [0.0, 1, 0])]
    for alpha, expected in ((0.0, (0.576, 0.212, 0.212)), (1.0, (0.422, 0.422, 0.155)), (2.0, (0.245, 0.665, 0.090))):
        found = ContrastHead(heads, alpha)(Sequences(ids, None, None, ids[0]))
        assert found.softmax(1)[0].tolist() == pytest.approx(expected, abs=6e-4)


def test_a_difference_of_nothing_changes_nothing(tiny_lm):
    base, other = load(ModelRef(model=str(tiny_lm))), moved(tiny_lm, 1)
    same = contrast(base, other, other, 3.0)
    for one, two in zip(
        generate(same, PROMPTS, max_new_tokens=6), generate(base, PROMPTS, max_new_tokens=6), strict=True
    ):
        assert (one.text, one.n_tokens) == (two.text, two.n_tokens)
        assert one.logprob == pytest.approx(two.logprob, abs=1e-5)
    options = [("yes", "no w9")] * len(PROMPTS)
    for one, two in zip(score_options(same, PROMPTS, options), score_options(base, PROMPTS, options), strict=True):
        assert one.logprobs == pytest.approx(two.logprobs, abs=1e-5)


@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_texts_are_those_of_the_added_scores(tiny_lm, temperature):
    """Grown together from a cache for each model, and token by token without one: the same tokens."""
    base, plus, minus = load(ModelRef(model=str(tiny_lm))), moved(tiny_lm, 1), moved(tiny_lm, 2)
    whole = contrast(base, plus, minus, 1.5)
    seeds = list(range(len(PROMPTS)))
    found = generate(whole, PROMPTS, max_new_tokens=6, temperature=temperature, seeds=seeds)
    alone = generate(base, PROMPTS, max_new_tokens=6, temperature=temperature, seeds=seeds)
    assert [each.text for each in found] != [each.text for each in alone]
    ids = base.coder.prompts(PROMPTS)
    for i, own in enumerate(found):
        pick = Pick(temperature, [seeds[i]] if temperature else None)
        with torch.inference_mode():
            slow = write_slowly(whole.head, ids[i], 6, whole.ends, pick)
            read = torch.tensor([ids[i]])
            scores = torch.stack([each.head.model(read).logits[0, -1] for each in (base, plus, minus)])
        assert len(slow.tokens) == own.n_tokens
        assert own.logprob == pytest.approx(sum(slow.logprobs), abs=1e-4)
        first = (scores[0] + 1.5 * (scores[1] - scores[2])).log_softmax(0)[slow.tokens[0]]
        assert slow.logprobs[0] == pytest.approx(float(first), abs=1e-4)
        assert math.isfinite(own.logprob)


def test_other_heads_and_vocabularies_are_refused(tiny_lm, tiny_bert, tmp_path):
    base = load(ModelRef(model=str(tiny_lm)))
    classifier = load(ModelRef(model=str(tiny_bert), head="classifier"), ("yes", "no"))
    with pytest.raises(ConfigError, match="has head 'classifier'; a contrast is of models with head 'lm'"):
        contrast(base, base, classifier, 1.0)
    other = load(ModelRef(model=str(tiny_lm)))
    other.tokenizer.add_tokens(["more"])
    with pytest.raises(ConfigError, match="other vocabularies"):
        contrast(base, other, base, 1.0)

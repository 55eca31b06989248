"""Words between tokenizers: worked values, hand-made spans, and any tokenizer on any text."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outgrow.core.errors import DataError
from outgrow.models.text import Coder
from outgrow.models.word_bridge import word_bridge


def test_soft_targets_of_the_worked_case():
    """Paper 02, section 9: P(word) = .36, two tokens with highest probabilities .9 and .5."""
    bridge = word_bridge("word", [(0, 4)], [(0, 2), (2, 4)])
    targets = np.exp(bridge.soft_targets(np.log([0.36]), np.array([0.9, 0.5])))
    np.testing.assert_allclose(targets, [0.6636, 0.5425], atol=5e-5)
    assert targets.prod() == pytest.approx(0.36)
    np.testing.assert_allclose(np.exp(bridge.soft_targets(np.log([0.36]))), [0.6, 0.6])


TEXT = 'set  an alarm {"time": "nine am"}'
WORDS = [(0, 3), (5, 7), (8, 13), (14, 22), (23, 28), (29, 33)]


def characters(text):
    return [(i, i + 1) for i in range(len(text))]


@pytest.mark.parametrize(
    ("weak", "strong", "words"),
    [
        (WORDS, WORDS, 6),
        (WORDS, characters(TEXT), 6),
        ([(0, 3), (3, 7), (7, 13), (13, 22), (22, 28), (28, 33)], WORDS, 6),  # the space before belongs to the token
        ([(0, 3), (3, 5), (5, 13), (14, 33)], WORDS, 3),  # tokens over several words
        ([(0, 33)], WORDS, 1),
        (characters(TEXT), characters(TEXT), 6),
    ],
)
def test_words_are_what_both_keep_whole(weak, strong, words):
    for one, other in ((weak, strong), (strong, weak)):
        bridge = word_bridge(TEXT, one, other)
        assert bridge.words == words
        assert set(bridge.weak) == set(bridge.strong) == set(range(words))


def test_pieces_of_a_character_stay_together():
    text = "a 🙂 b"
    whole = word_bridge(text, [(0, 1), (1, 2), (2, 3), (2, 3), (2, 3), (3, 5)], [(0, 1), (1, 3), (3, 5)])
    late = word_bridge(text, [(0, 1), (1, 2), (2, 2), (2, 2), (2, 3), (3, 5)], [(0, 1), (1, 3), (3, 5)])
    for bridge in (whole, late):
        assert bridge.weak.tolist() == [0, 1, 1, 1, 1, 2]
        assert bridge.strong.tolist() == [0, 1, 2]


def test_repeated_words_and_space_at_the_ends():
    bridge = word_bridge(" no no  no ", [(0, 3), (3, 6), (6, 10), (10, 11)], characters(" no no  no "))
    assert bridge.weak.tolist() == [0, 1, 2, 2]
    assert bridge.strong.tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2, 2, 2]


def test_what_is_no_tokenization_is_refused():
    with pytest.raises(DataError, match="the strong tokenization of 'word' has no token"):
        word_bridge("word", [(0, 4)], [])
    with pytest.raises(DataError, match="the weak tokenization of 'word' has a token from 2 to 5"):
        word_bridge("word", [(2, 5)], [(0, 4)])


# Any tokenizer, any text ------------------------------------------------------------------------------------------

CORPUS = [
    'set an alarm for nine am {"time": "nine am"}', "der Bär läuft über die Straße", "こんにちは 世界 🙂🙃 ok",
    "a  b\tc\nd", "naïve café e\u0301 \u200bzero", "ไทย ภาษา", "THE THE the", "1,000.50 + 3=",
]  # fmt: skip


def tokenizers():
    """Real tokenizers of every kind, trained on a few lines."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    special = ["<unk>"]
    byte = Tokenizer(models.BPE())
    byte.pre_tokenizer, byte.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    byte.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=300, initial_alphabet=alphabet))
    few = Tokenizer(models.BPE())
    few.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True, trim_offsets=True)
    few.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=270, initial_alphabet=alphabet))
    piece = Tokenizer(models.WordPiece(unk_token="<unk>"))
    piece.normalizer = normalizers.Sequence([normalizers.NFD(), normalizers.Lowercase(), normalizers.StripAccents()])
    piece.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    piece.train_from_iterator(CORPUS, trainers.WordPieceTrainer(vocab_size=200, special_tokens=special))
    unigram = Tokenizer(models.Unigram())
    unigram.normalizer, unigram.pre_tokenizer = normalizers.NFKC(), pre_tokenizers.Metaspace()
    unigram.train_from_iterator(
        CORPUS, trainers.UnigramTrainer(vocab_size=120, special_tokens=special, unk_token="<unk>")
    )
    whole = Tokenizer(models.BPE(unk_token="<unk>"))  # no words at all: tokens reach over spaces
    whole.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=200, special_tokens=special))
    letters = Tokenizer(models.BPE(unk_token="<unk>"))
    letters.pre_tokenizer = pre_tokenizers.Split("", "isolated")
    letters.train_from_iterator(CORPUS, trainers.BpeTrainer(vocab_size=120, special_tokens=special))
    return {"byte": byte, "trimmed": few, "wordpiece": piece, "unigram": unigram, "whole": whole, "letters": letters}


TOKENIZERS = tokenizers()
texts = st.one_of(
    st.lists(st.sampled_from([word for line in CORPUS for word in line.split()]), min_size=1, max_size=8).map(" ".join),
    st.text(alphabet=st.sampled_from('ab 🙂é\u0301\t\n世{}":,\u200b\u00a0'), min_size=1, max_size=24),
    st.text(min_size=1, max_size=16),
)


@settings(max_examples=300, deadline=None)
@given(text=texts, pair=st.tuples(*[st.sampled_from(sorted(TOKENIZERS))] * 2), seed=st.integers(0, 9))
def test_targets_of_a_word_multiply_to_its_probability_whatever_the_tokenizers(text, pair, seed):
    weak, strong = (TOKENIZERS[name].encode(text).offsets for name in pair)
    if not weak or not strong:  # nothing but what a tokenizer drops
        return
    bridge = word_bridge(text, weak, strong)
    rng = np.random.default_rng(seed)
    logprobs, confidence = -rng.exponential(size=len(weak)), rng.uniform(size=len(strong))
    for side in (bridge.weak, bridge.strong):
        assert side[0] == 0
        assert set(np.diff(side)) <= {0, 1}
        assert side[-1] == bridge.words - 1
    for targets in (bridge.soft_targets(logprobs, confidence, 0.3), bridge.soft_targets(logprobs)):
        assert (targets <= 0).all()
        summed = np.bincount(bridge.strong, targets, bridge.words)
        np.testing.assert_allclose(summed, bridge.word_logprobs(logprobs), rtol=1e-9)
    assert bridge.word_logprobs(logprobs).sum() == pytest.approx(logprobs.sum())


@settings(max_examples=200, deadline=None)
@given(text=texts, name=st.sampled_from(sorted(TOKENIZERS)))
def test_a_tokenizer_meets_itself_token_by_token(text, name):
    spans = TOKENIZERS[name].encode(text).offsets
    if spans:
        bridge = word_bridge(text, spans, spans)
        assert bridge.weak.tolist() == bridge.strong.tolist()


@settings(max_examples=200, deadline=None)
@given(words=st.lists(st.text("abcé世🙂", min_size=1, max_size=6), min_size=1, max_size=8))
def test_words_apart_by_a_space_are_words_of_every_pair_that_cuts_there(words):
    text = " ".join(words)
    for weak in ("byte", "trimmed", "letters"):
        for strong in ("byte", "trimmed", "letters"):
            spans = (TOKENIZERS[name].encode(text).offsets for name in (weak, strong))
            assert word_bridge(text, *spans).words == len(words)


kinds = st.tuples(st.lists(texts, min_size=1, max_size=4), st.integers(257, 340), st.booleans())


def trained(corpus, size, words):
    """A coder of a tokenizer of bytes trained just now, within words or over whole lines."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    raw = Tokenizer(models.BPE())
    raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=words)
    raw.decoder = decoders.ByteLevel()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=size, initial_alphabet=alphabet, special_tokens=["<end>"], show_progress=False
    )
    raw.train_from_iterator(corpus, trainer)
    return Coder(PreTrainedTokenizerFast(tokenizer_object=raw, eos_token="<end>"))


@settings(max_examples=60, deadline=None)
@given(text=texts, weak=kinds, strong=kinds, seed=st.integers(0, 9))
def test_tokens_as_they_were_written_meet_those_of_any_other_tokenizer(text, weak, strong, seed):
    """The spans of a text's own tokens, the end included, tile the text, and words keep their probability."""
    text, weak, strong = text.strip(), trained(*weak), trained(*strong)
    if not text:
        return
    ids = [coder.targets([""], [text])[0] for coder in (weak, strong)]
    spans = [coder.spans(own) for coder, own in zip((weak, strong), ids, strict=True)]
    for coder, own, places in zip((weak, strong), ids, spans, strict=True):
        assert coder.decode(own) == text
        assert "".join(text[start:end] for start, end in places) == text
        assert places[-1] == (len(text), len(text))
    bridge = word_bridge(text, *spans)
    rng = np.random.default_rng(seed)
    logprobs, confidence = -rng.exponential(size=len(ids[0])), rng.uniform(size=len(ids[1]))
    summed = np.bincount(bridge.strong, bridge.soft_targets(logprobs, confidence), bridge.words)
    np.testing.assert_allclose(summed, bridge.word_logprobs(logprobs), rtol=1e-9)
    assert bridge.word_logprobs(logprobs).sum() == pytest.approx(logprobs.sum())

"""Pretraining of the base models: names as three tokens, packing without loss, and resuming to the same bits."""

import json
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest

from microworld import pretrain as module
from microworld.corpus import documents
from microworld.editions import FIRST
from microworld.pretrain import (
    BATCH,
    BLOCK,
    BOS,
    EOS,
    PAD,
    learning_rate,
    packed,
    pretrain,
)
from outgrow.core.errors import ConfigError
from outgrow.tasks.microworld.ladder import LADDER, Rung
from outgrow.tasks.microworld.language import CHOICE_TEMPLATES, CLAIM_TEMPLATES, QUESTIONS, SUM_TEMPLATES
from outgrow.tasks.microworld.world import World, WorldConfig, split_name

STEPS = 8
TINY = Rung("tiny", 0.5, 16, 1, 2, STEPS * BATCH * BLOCK + 77, 1e-2)


@pytest.fixture(scope="module")
def world():
    return World(WorldConfig(seed=5, entities=120, format_entities=40, stranger_stems=20))


@pytest.fixture(scope="module")
def tokenizer(world):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TOKENIZER_DOCUMENTS", 4000)
        return module.train_tokenizer(world)


@pytest.fixture(autouse=True)
def _few_documents_at_a_time(monkeypatch):
    """Of the endless text no more is written than these short trainings need."""
    monkeypatch.setattr(module, "ENCODED_DOCUMENTS", 100)


# Tokens -------------------------------------------------------------------------------------------------------------


def test_every_name_is_three_tokens_at_any_place_in_a_text(world, tokenizer):
    for name in world.names:
        begin, stem, end = split_name(name)
        assert [tokenizer.decode([i]).strip() for i in tokenizer(name)["input_ids"][1:]] == [begin, stem, end]
        alone = tokenizer(name)["input_ids"][1:]
        inside = tokenizer(f"Where does {name} live?")["input_ids"]
        assert any(inside[i : i + 3] == alone for i in range(len(inside)))


def test_shipped_tokenizers_have_three_tokens_per_name():
    from transformers import AutoTokenizer

    from outgrow.models.files import available, resolve

    shipped = [model for model in available() if model.startswith("microworld/")]
    if not shipped:
        pytest.skip("no base model is shipped yet; see `python scripts/build_microworld.py`")
    names = World(WorldConfig()).names
    first = AutoTokenizer.from_pretrained(resolve(shipped[0]))
    assert all(len(first.encode(name)) == 4 for name in names)  # <s> and three
    for model in shipped[1:]:
        assert AutoTokenizer.from_pretrained(resolve(model)).get_vocab() == first.get_vocab()


def test_text_survives_the_way_to_tokens_and_back(world, tokenizer):
    texts = [*islice(documents(world, 1.0, warm_up=0), 300), *QUESTIONS.values(), *CHOICE_TEMPLATES, *CLAIM_TEMPLATES]
    for text in [*texts, *SUM_TEMPLATES, "12 + 7 = 19. So 19"]:
        ids = tokenizer(text)["input_ids"]
        assert ids[0] == tokenizer.bos_token_id
        assert tokenizer.decode(ids[1:]).strip() == text


def test_digits_stand_apart(tokenizer):
    said = [tokenizer.decode([i]).strip() for i in tokenizer("19 - 4 = 15.")["input_ids"][1:]]
    assert [token for token in said if token.isdigit()] == ["1", "9", "4", "1", "5"]


def test_special_tokens_are_where_the_model_config_expects_them(tokenizer):
    assert (PAD, BOS, EOS) == ("<pad>", "<s>", "</s>")
    assert (tokenizer.pad_token_id, tokenizer.bos_token_id, tokenizer.eos_token_id) == (0, 1, 2)
    config = module.model_config(TINY, len(tokenizer))
    assert (config.pad_token_id, config.bos_token_id, config.eos_token_id) == (0, 1, 2)
    assert config.vocab_size == len(tokenizer)


# Packing ------------------------------------------------------------------------------------------------------------


def test_packing_keeps_every_document_between_its_begin_and_end(world, tokenizer):
    blocks = packed(world, TINY, tokenizer, seed=3)
    assert blocks.shape == (STEPS * BATCH, BLOCK)  # the odd 77 tokens are left over
    ids = blocks.reshape(-1)
    ends = np.flatnonzero(ids == 2)
    assert ids[0] == 1
    assert (ids[ends[:-1] + 1] == 1).all()  # behind every end a new beginning
    assert (ids == 1).sum() in (len(ends), len(ends) + 1)  # and none elsewhere; the last document may be cut
    assert not (ids == 0).any()  # no padding
    pieces = np.split(ids, ends + 1)
    stream = documents(world, TINY.share, 3)
    for piece in pieces[:-1]:
        assert tokenizer.decode(piece[1:-1]).strip() == next(stream)
    assert len(pieces) > 150


def test_packing_depends_on_the_seed(world, tokenizer):
    assert (packed(world, TINY, tokenizer, seed=3) == packed(world, TINY, tokenizer, seed=3)).all()
    assert (packed(world, TINY, tokenizer, seed=3) != packed(world, TINY, tokenizer, seed=4)).any()


# Rates and sizes ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "rate"),
    [
        (0, 0.5),  # two warm-up steps of a hundred
        (1, 1.0),
        (2, 1.0),  # the cosine's top
        (51, 0.51),  # its middle: .02 + .98 / 2
        (100, 0.02),
    ],
)
def test_the_rate_warms_up_and_follows_a_cosine(step, rate):
    assert learning_rate(step, 100, 1.0) == pytest.approx(rate)


def test_the_ladder_grows_in_size_and_reading():
    rungs = list(LADDER.values())
    assert list(LADDER) == ["nano", "mini", "small", "base"]
    assert [r.hidden for r in rungs] == sorted({r.hidden for r in rungs})
    assert [r.share for r in rungs] == sorted({r.share for r in rungs})
    for rung in rungs:
        wide = 8 * round(rung.hidden * 8 / 3 / 8)
        body = rung.layers * (4 * rung.hidden**2 + 3 * rung.hidden * wide + 2 * rung.hidden) + rung.hidden
        assert 50_000 < body + 2800 * rung.hidden < 2_000_000  # with embeddings, some 2,800 tokens, tied


# Training -----------------------------------------------------------------------------------------------------------


class StoppedError(Exception):
    pass


def stop_at(step):
    def progress(done, steps, loss):
        assert steps == STEPS
        if done == step:
            raise StoppedError

    return progress


@pytest.fixture
def often(monkeypatch):
    monkeypatch.setattr(module, "CHECKPOINT_STEPS", 3)


def test_a_stopped_build_goes_on_to_the_bits_of_an_undisturbed_one(world, tokenizer, often, tmp_path):
    whole = pretrain(world, TINY, tokenizer, tmp_path / "whole", seed=1)
    seen = []
    for stop in (5, 8):  # behind the checkpoints of step 3 and step 6
        with pytest.raises(StoppedError):
            pretrain(world, TINY, tokenizer, tmp_path / "parts", seed=1, progress=stop_at(stop))
        state = json.loads((tmp_path / "parts" / "work" / "state.json").read_text())
        seen.append((state["step"], sorted(f.name for f in (tmp_path / "parts" / "work").glob("*.safetensors"))))
    assert seen == [(3, ["step-3.safetensors"]), (6, ["step-6.safetensors"])]
    steps = []
    parts = pretrain(
        world, TINY, tokenizer, tmp_path / "parts", seed=1, progress=lambda done, total, loss: steps.append(done)
    )
    assert steps == [7, 8]
    for name in ("model.safetensors", "config.json", "tokenizer.json"):
        assert (tmp_path / "parts" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert {k: v for k, v in parts.items() if k != "seconds"} == {k: v for k, v in whole.items() if k != "seconds"}
    assert not (tmp_path / "parts" / "work").exists()


def test_other_seeds_give_other_weights(world, tokenizer, tmp_path):
    for seed in (1, 2):
        pretrain(world, TINY, tokenizer, tmp_path / str(seed), seed=seed)
    first, second = ((tmp_path / s / "model.safetensors").read_bytes() for s in ("1", "2"))
    assert first != second


def test_a_build_does_not_go_on_from_another_builds_checkpoint(world, tokenizer, often, tmp_path):
    with pytest.raises(StoppedError):
        pretrain(world, TINY, tokenizer, tmp_path, seed=1, progress=stop_at(4))
    with pytest.raises(ConfigError, match="belongs to another build"):
        pretrain(world, TINY, tokenizer, tmp_path, seed=2)


def test_the_facts_of_a_build_and_the_saved_model(world, tokenizer, tmp_path):
    from safetensors.numpy import load_file

    from outgrow.models import ModelRef
    from outgrow.models.loading import load

    losses = []
    facts = pretrain(world, TINY, tokenizer, tmp_path, seed=1, progress=lambda done, total, loss: losses.append(loss))
    assert (facts["tokens"], facts["steps"]) == (STEPS * BATCH * BLOCK, STEPS)
    assert facts["loss"] == pytest.approx(np.mean(losses))
    vocabulary = len(tokenizer)
    # embeddings (tied); one layer: four 16 x 16, three 16 x 40 (8 * round(16 * 8 / 3 / 8) = 40), two norms; a last norm
    assert facts["parameters"] == vocabulary * 16 + 4 * 16 * 16 + 3 * 16 * 40 + 2 * 16 + 16
    assert losses[0] == pytest.approx(np.log(vocabulary), rel=0.02)  # small initial weights: all tokens alike
    assert losses[-1] < losses[0]
    assert {str(tensor.dtype) for tensor in load_file(tmp_path / "model.safetensors").values()} == {"float16"}
    loaded = load(ModelRef(model=str(tmp_path)), None, seed=0)
    assert loaded.tokenizer.encode("moss") == tokenizer.encode("moss")


# The second edition -------------------------------------------------------------------------------------------------


def test_documents_of_a_block_do_not_see_each_other():
    import torch
    from transformers import LlamaForCausalLM

    torch.manual_seed(0)
    model = LlamaForCausalLM(module.model_config(TINY, 40, spread=0.3)).eval()
    first, second = [1, 5, 6, 7, 2], [1, 8, 5, 2]
    block = torch.tensor([first + second])
    seen = module.apart(block)
    assert seen["position_ids"].tolist() == [[0, 1, 2, 3, 4, 0, 1, 2, 3]]
    mask = seen["attention_mask"][0, 0]
    assert (mask[6] == 0).tolist() == [False] * 5 + [True, True, False, False]  # its own document, up to itself
    with torch.no_grad():
        together = model(block, **seen).logits[0]
        alone = [model(torch.tensor([ids])).logits[0] for ids in (first, second)]
        through = model(block).logits[0]
    torch.testing.assert_close(together, torch.cat(alone), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(through[5:], alone[1], atol=1e-3)


def test_a_model_of_characters_has_a_token_for_each_and_four_times_the_context(world):
    rung = replace(TINY, characters=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "TOKENIZER_DOCUMENTS", 200)
        tokenizer = module.train_tokenizer(world, FIRST, rung)
    assert len(tokenizer) == 256 + 3
    assert [tokenizer.decode([i]) for i in tokenizer("Look, moss")["input_ids"][1:]] == list(" Look, moss")
    assert tokenizer.model_max_length == module.model_config(rung, 259).max_position_embeddings == 1024
    assert packed(world, rung, tokenizer, seed=3).shape[1] == 4 * BLOCK

"""Small random models of several architectures."""

from collections.abc import Callable
from pathlib import Path

import pytest
from transformers import (
    BloomConfig,
    BloomForCausalLM,
    Gemma2Config,
    Gemma2ForCausalLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    MistralConfig,
    MistralForCausalLM,
)

from outgrow.models import ModelRef, load
from outgrow.models.loaded import Loaded
from outgrow.models.quiet import quiet

COMMON = {"vocab_size": 94, "initializer_range": 0.2}
ARCHITECTURES = {
    "absolute positions": GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=4, n_positions=64, **COMMON)),
    "no positions": BloomForCausalLM(BloomConfig(hidden_size=32, n_layer=2, n_head=4, **COMMON)),
    "soft-capped": Gemma2ForCausalLM(
        Gemma2Config(
            hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            head_dim=8, final_logit_softcapping=2.0, max_position_embeddings=64, sliding_window=8, **COMMON,
        )
    ),
    "window": MistralForCausalLM(
        MistralConfig(
            hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
            sliding_window=8, max_position_embeddings=64, **COMMON,
        )
    ),
    "eager attention": LlamaForCausalLM(
        LlamaConfig(
            hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            max_position_embeddings=64, attn_implementation="eager", **COMMON,
        )
    ),
}  # fmt: skip


@pytest.fixture
def architecture(tiny_lm: Path, tmp_path: Path) -> Callable[[str], Loaded]:
    """Loads the model of a name, with the tokenizer of `tiny_lm`."""

    def loaded(name: str) -> Loaded:
        with quiet():
            ARCHITECTURES[name].save_pretrained(tmp_path / "model")
            load(ModelRef(model=str(tiny_lm))).tokenizer.save_pretrained(tmp_path / "model")
        return load(ModelRef(model=str(tmp_path / "model")))

    return loaded

"""FLOPs and bytes by hand, and what is held for the backward pass against what PyTorch really keeps."""

import pytest

from outgrow.experiment.planning.formulas import (
    Passes,
    attention_flops,
    body_flops,
    forward_flops,
    head_flops,
    training_flops,
    update_flops,
)
from outgrow.experiment.planning.memory import activations, asking_memory, training_memory, weights_bytes, zero_bytes
from outgrow.models.config import Lora
from outgrow.models.known_shapes import KNOWN
from outgrow.models.shapes import shape_of
from outgrow.training.config import TrainConfig

GPT2 = shape_of(KNOWN["openai-community/gpt2"], "gpt2")
LLAMA = shape_of(KNOWN["meta-llama/Llama-3.1-70B"], "llama")


def test_forward_flops_of_gpt2_by_hand():
    # a layer has 768 x (2304 + 768 + 3072 + 3072) = 7,077,888 matrix entries, twelve of them 84,934,656
    assert body_flops(GPT2, 1) == 2 * 84_934_656
    # 4 x 12 layers x 768 for a pair of positions: 1024 positions of one sequence see 1024 each
    assert attention_flops(GPT2, 1024**2) == 4 * 12 * 768 * 1_048_576
    assert head_flops(GPT2, 5) == 2 * 768 * 50_257 * 5
    spared = 2 * 2 * 768 * 3072 * 5  # the last feed-forward part has two matrices and is needed at 5 of 10 positions
    assert forward_flops(GPT2, Passes(1, 10, 100, 5)) == body_flops(GPT2, 10) - spared + (
        attention_flops(GPT2, 100) + head_flops(GPT2, 5)
    )


def test_with_the_head_everywhere_training_is_six_n_per_token_as_kaplan_counts_and_palms_attention_term():
    tokens, length = 1e6, 2048
    whole = training_flops(LLAMA, Passes(1, tokens, tokens * length, tokens))
    matrices = LLAMA.layers * LLAMA.matrices + LLAMA.hidden * LLAMA.vocabulary
    palm = 12 * LLAMA.layers * LLAMA.heads * LLAMA.head_dim * length
    assert whole == pytest.approx(tokens * (6 * matrices + palm))
    assert matrices == pytest.approx(LLAMA.parameters - LLAMA.vocabulary * LLAMA.hidden, rel=1e-4)


def test_an_adapter_saves_a_third_of_the_matrices_and_checkpointing_costs_a_forward_pass():
    work = Passes(1, 1000, 0, 0)
    full, lora = training_flops(GPT2, work), training_flops(GPT2, work, Lora(r=8))
    own = 2 * GPT2.adapter(8, "all-linear") * 1000
    assert lora == pytest.approx(full * 2 / 3 + 3 * own)
    again = training_flops(GPT2, work, checkpointing=True)
    assert again == pytest.approx(4 * body_flops(GPT2, 1000))  # and nothing is spared in the last layer
    assert update_flops(10) == 180


def test_the_bytes_of_a_70b_student_by_hand():
    assert LLAMA.parameters == 70_553_706_496
    assert weights_bytes(LLAMA, "bfloat16") == 141_107_412_992
    # ZeRO: 2 + 2 + 12 bytes; all divided by 64 at stage 3, only the 12 at stage 1
    assert zero_bytes(LLAMA.parameters, 1, 0) == 16 * 70_553_706_496
    assert zero_bytes(LLAMA.parameters, 64, 3) == 16 * 70_553_706_496 / 64
    assert zero_bytes(7.5e9, 64, 1) == pytest.approx(31.4e9, rel=0.01)  # arXiv 1910.02054, figure 1
    assert zero_bytes(7.5e9, 64, 2) == pytest.approx(16.6e9, rel=0.01)
    assert zero_bytes(7.5e9, 64, 3) == pytest.approx(1.9e9, rel=0.02)
    # 855,638,016 entries a layer at half a byte and a scale of four bytes per 64, the rest at two bytes
    matrices = 80 * 855_638_016
    assert weights_bytes(LLAMA, "bfloat16", "4bit") == matrices * 0.5625 + (70_553_706_496 - matrices) * 2
    own = {"largest": 1.0, "base": 2.0, "dtype": "bfloat16", "bf16": True}
    full = training_memory(LLAMA, TrainConfig(), **own, devices=64)
    assert full.weights + full.states == pytest.approx(70_553_706_496 * 16 / 64)
    layer, ends = 855_638_016, 2 * 128_256 * 8192
    assert full.gathered == 2 * 2 * layer + (4 + 2) * ends + (4 + 2) * layer + 4 * ends
    single = training_memory(LLAMA, TrainConfig(), **{**own, "bf16": False}, devices=64)
    assert single.gathered == 4 * (2 * layer + ends) + 4 * (layer + ends)
    assert training_memory(LLAMA, TrainConfig(), **own).weights == 6 * 70_553_706_496  # nothing is divided
    lora = training_memory(LLAMA, TrainConfig(lora=Lora(r=16)), **own)
    assert lora.total == pytest.approx(141_107_412_992 + 18 * LLAMA.adapter(16, "all-linear") + 3)
    bits = training_memory(LLAMA, TrainConfig(optimiser="adamw_8bit"), **own, devices=64)  # FSDP refuses it
    assert bits.weights + bits.states == 12 * 70_553_706_496
    asked = asking_memory(LLAMA, TrainConfig(), asked=1.0, base=2.0, dtype="bfloat16", devices=64)
    assert asked.total == 70_553_706_496 * (2 + 4 / 64) + 3
    assert asking_memory(LLAMA, None, asked=1.0, base=2.0, dtype="bfloat16", devices=64).total == 141_107_412_995


def _kept(config, rows, width, places):
    """Bytes that PyTorch keeps for the backward pass of a real model."""
    import torch
    from transformers import AutoModelForCausalLM

    from outgrow.models.trimming import last_feed_forward, only_at

    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config).train()
    own = {p.untyped_storage().data_ptr() for p in model.parameters()}
    kept = {}

    def pack(tensor):
        if tensor.untyped_storage().data_ptr() not in own:
            kept[tensor.untyped_storage().data_ptr()] = tensor
        return tensor

    last = last_feed_forward(model)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor), only_at(torch.arange(places), last):
        base = getattr(model, model.base_model_prefix)
        hidden = base(input_ids=torch.randint(0, 100, (rows, width)), use_cache=False).last_hidden_state
        scores = model.get_output_embeddings()(hidden.flatten(0, 1)[:places])
        loss = torch.nn.functional.cross_entropy(scores, torch.zeros(places, dtype=torch.int64))
    assert loss.requires_grad
    return sum(tensor.untyped_storage().nbytes() for tensor in kept.values())


@pytest.mark.parametrize(
    "raw",
    [
        {"model_type": "gpt2", "n_embd": 128, "n_layer": 3, "n_head": 4, "vocab_size": 500, "n_positions": 128,
         "bos_token_id": 1, "eos_token_id": 1},
        {"model_type": "gpt_neox", "hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4,
         "intermediate_size": 512, "vocab_size": 500, "max_position_embeddings": 128},
        {"model_type": "qwen3", "hidden_size": 128, "num_hidden_layers": 3, "num_attention_heads": 4,
         "num_key_value_heads": 2, "intermediate_size": 384, "vocab_size": 500, "max_position_embeddings": 128,
         "head_dim": 32},
    ],
    ids=lambda raw: raw["model_type"],
)  # fmt: skip
def test_activations_are_those_that_pytorch_keeps(raw):
    from transformers import AutoConfig

    plain = dict(raw)
    config = AutoConfig.for_model(plain.pop("model_type"), **plain)
    held = activations(shape_of(raw, "test"))
    rows, width, places = 6, 64, 6
    counted = held.position * rows * width + held.pair * rows * width**2
    counted += (held.place - 500 * 12) * places  # of a vocabulary's 16 bytes the loss takes 12, which is fused here
    assert counted == pytest.approx(_kept(config, rows, width, places), rel=0.12)


def test_checkpointing_keeps_the_input_of_every_layer_and_one_layer():
    full, less = activations(LLAMA, narrow=2), activations(LLAMA, narrow=2, checkpointing=True)
    assert less.position < full.position / 10
    assert less.position > 80 * 4 * 8192

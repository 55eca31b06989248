"""The fast form of an activation function is the same function."""

import torch
from torch import nn
from transformers import GPT2Config, GPT2LMHeadModel
from transformers.activations import NewGELUActivation

from outgrow.models.activation_functions import fuse_activations


def test_scores_and_gradients_stay_and_the_saved_model_is_the_same():
    torch.manual_seed(0)
    config = GPT2Config(vocab_size=50, n_embd=32, n_layer=2, n_head=2, n_positions=16)
    slow, fast = GPT2LMHeadModel(config).eval(), GPT2LMHeadModel(config).eval()
    fast.load_state_dict(slow.state_dict())
    fuse_activations(fast)
    assert any(isinstance(m, NewGELUActivation) for m in slow.modules())
    assert not any(isinstance(m, NewGELUActivation) for m in fast.modules())
    assert sum(isinstance(m, nn.GELU) for m in fast.modules()) == 2
    ids = torch.arange(10)[None]
    one, two = slow(ids, labels=ids), fast(ids, labels=ids)
    torch.testing.assert_close(two.logits, one.logits, atol=1e-6, rtol=1e-5)
    one.loss.backward()
    two.loss.backward()
    for a, b in zip(slow.parameters(), fast.parameters(), strict=True):
        torch.testing.assert_close(b.grad, a.grad, atol=1e-6, rtol=1e-4)
    assert fast.config.to_dict() == slow.config.to_dict()

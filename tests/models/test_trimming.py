"""The last layer computed at answer places only gives the scores and gradients of the whole layer."""

import pytest
import torch
from torch import nn

from outgrow.models import ModelRef, load
from outgrow.models.batching import Group, alone, collate, make_pack
from outgrow.models.trimming import last_feed_forward, only_at

# two groups with the same prompt: its end is a place twice
GROUPS = [Group([5, 6, 7, 8, 9], [[10, 11], [12, 13]]), Group([5, 6, 7, 8, 9], [[14, 15]]), Group([5, 6, 3], [[9, 4]])]


def scores_and_gradients(head, sequences, whole):
    head.whole = whole
    head.zero_grad()
    found = head(sequences)
    (found.log_softmax(1) * torch.arange(1.0, 1 + len(found))[:, None]).mean().backward()
    return found.detach(), {name: p.grad.clone() for name, p in head.named_parameters() if p.grad is not None}


@pytest.mark.parametrize("packs", [[[0], [1], [2]], [[0, 1], [2]], [[0, 1, 2]]])
def test_scores_and_gradients_are_those_of_the_whole_layer(tiny_lm, packs):
    loaded = load(ModelRef(model=str(tiny_lm)))
    loaded.head.requires_grad_(True)
    made = [make_pack([GROUPS[i] for i in own]) for own in packs]
    sequences, _ = collate(made, 0, share=True, unmasked=True, device=torch.device("cpu"))
    seen = []
    inside = next(m for m in last_feed_forward(loaded.model).modules() if isinstance(m, nn.Linear))
    inside.register_forward_pre_hook(lambda module, given: seen.append(given[0].shape[0] * given[0].shape[1]))
    trimmed, own = scores_and_gradients(loaded.head, sequences, whole=False)
    whole, other = scores_and_gradients(loaded.head, sequences, whole=True)
    torch.testing.assert_close(trimmed, whole, atol=1e-5, rtol=1e-5)
    assert own.keys() == other.keys()
    for name, gradient in other.items():
        torch.testing.assert_close(own[name], gradient, atol=1e-5, rtol=1e-4, msg=name)
    assert seen[1] == sequences.ids.numel()
    assert seen[0] == len(sequences.places.unique()) < seen[1]


def test_a_part_that_does_not_give_one_tensor_is_refused_and_left_as_it_was():
    class Two(nn.Module):
        def forward(self, hidden):
            return hidden, hidden

    part = Two()
    with pytest.raises(TypeError, match="Two gives tuple"), only_at(torch.tensor([1]), part):
        part(torch.zeros(1, 3, 2))
    assert len(part(torch.zeros(1, 3, 2))) == 2


def test_every_position_is_computed_where_layers_are_computed_again(tiny_lm):
    from outgrow.training.memory import keep_activations, recompute_activations

    loaded = load(ModelRef(model=str(tiny_lm)))
    recompute_activations(loaded)
    sequences, _ = collate([alone(g) for g in GROUPS], 0, share=True, unmasked=True, device=torch.device("cpu"))
    seen = []
    inside = next(m for m in last_feed_forward(loaded.model).modules() if isinstance(m, nn.Linear))
    inside.register_forward_pre_hook(lambda module, given: seen.append(given[0].shape[:2].numel()))
    loaded.head(sequences)
    keep_activations(loaded)
    assert seen == [sequences.ids.numel()]

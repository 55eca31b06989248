"""What a model's layers hold after reading a prompt."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from outgrow.core.errors import ConfigError
from outgrow.models.assemble import pooling_of
from outgrow.models.batches import Progress, Stage, default_budget
from outgrow.models.batching import plan
from outgrow.models.heads import pooled
from outgrow.models.loaded import Loaded
from outgrow.models.prompts import classifier_inputs, encode_prompts
from outgrow.models.ranks import split
from outgrow.models.text import Prompt, cut_left


@split
def hidden_states(
    loaded: Loaded,
    prompts: Sequence[Prompt],
    layers: Sequence[int],
    *,
    pool: Literal["auto", "last", "mean"] | str = "last",
    token_budget: int | None = None,
    progress: Progress | None = None,
) -> Float[Tensor, "prompts layers width"]:
    """Hidden states of prompts, in float32 on the CPU, for any head; what is put on top of them does not matter.

    Args:
        loaded: the model, read as it was tokenised for training.
        prompts: what the model reads; those longer than it reads lose their beginning.
        layers: 0 for the embeddings, then 1 for what the first layer gives, and so on; negative counts from the end, so
            -1 is what the head sees, the last norm included.
        pool: `last` takes each prompt's last token, `mean` the mean over its tokens, special ones included; `auto` is
            what a classifier of the model reads: the last token of a causal one, else the mean, or as `pooling` says.
        token_budget: most positions, padding included, in one forward pass; None suits the device.
        progress: called with (distinct prompts done, all of them).

    Raises:
        ConfigError: no layer, one that the model does not have, or an unknown `pool`.
        DataError: a prompt without tokens.
    """
    if pool not in ("auto", "last", "mean"):
        raise ConfigError(f"pool is {pool!r}; choose 'auto', 'last' or 'mean'")
    if pool == "auto":
        pool = pooling_of(loaded.ref, loaded.model.config)
    count = int(loaded.model.config.get_text_config().num_hidden_layers) + 1
    wrong = [layer for layer in layers if not -count <= layer < count]
    if wrong or not layers:
        raise ConfigError(
            f"layers are {list(layers)}; {loaded.ref.model} has 0 (embeddings) to {count - 1}, or -{count} to -1 from "
            "the end; name at least one"
        )
    unique = list(dict.fromkeys(prompts))
    ids = _encode(loaded, unique)
    backbone, keep = loaded.model.base_model, [layer % count for layer in layers]

    def work(number: int, items: Sequence[int]) -> list[Tensor]:
        batch = classifier_inputs([ids[i] for i in items], loaded.pad, loaded.device)
        output = backbone(input_ids=batch.ids, attention_mask=batch.mask, output_hidden_states=True, use_cache=False)
        assert batch.mask is not None
        states = (output.hidden_states[layer] for layer in keep)
        rows = [pooled(each.float() if pool == "mean" else each, batch.mask, pool).float() for each in states]
        return list(torch.stack(rows, dim=1).cpu())

    with torch.inference_mode():
        batches = plan([len(tokens) for tokens in ids], token_budget or default_budget(loaded.device))
        found = Stage().run(batches, work, progress)
    place = {prompt: i for i, prompt in enumerate(unique)}
    if not prompts:
        return torch.zeros(0, len(keep), int(loaded.model.config.get_text_config().hidden_size))
    return torch.stack([found[place[prompt]] for prompt in prompts])


def _encode(loaded: Loaded, prompts: Sequence[Prompt]) -> list[list[int]]:
    """Token ids as the head reads them."""
    if loaded.coder is None:
        return encode_prompts(loaded, [str(prompt) for prompt in prompts], loaded.max_length)[0]
    return [cut_left(ids, loaded.max_length, loaded.coder.prefix) for ids in loaded.coder.prompts(prompts)]

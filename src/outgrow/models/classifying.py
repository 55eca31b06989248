"""What a classifier head says of prompts, with or without dropout."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from jaxtyping import Float

from outgrow.core.errors import ConfigError
from outgrow.core.hashing import seed_of
from outgrow.models.batches import Progress, Stage, default_budget
from outgrow.models.batching import plan
from outgrow.models.chance import seed_dropout
from outgrow.models.loaded import Loaded
from outgrow.models.prompts import classifier_inputs, encode_prompts
from outgrow.models.ranks import split
from outgrow.models.readings import READINGS, Readout


def classify(
    loaded: Loaded,
    prompts: Sequence[str],
    *,
    dropout_seed: int | None = None,
    token_budget: int | None = None,
    stage: Stage | None = None,
    progress: Progress | None = None,
) -> Float[np.ndarray, "prompts classes"]:
    """Natural-log probabilities of the classes, in the order of `loaded.classes`; as `read_classes`."""
    readout = read_classes(
        loaded, prompts, dropout_seed=dropout_seed, token_budget=token_budget, stage=stage, progress=progress
    )
    return readout.logprobs.numpy()


@split
def rewards(
    loaded: Loaded,
    texts: Sequence[str],
    *,
    dropout_seed: int | None = None,
    stage: Stage | None = None,
    progress: Progress | None = None,
) -> list[float]:
    """Rewards of texts (`with_option`), for differences within a question; arguments as of `read_classes`.

    Raises:
        ConfigError: the model has another head.
    """
    if loaded.ref.head != "reward":
        raise ConfigError(f"rewards need head 'reward'; this model has head '{loaded.ref.head}'")
    return [score for (score,) in _scores(loaded, texts, dropout_seed, None, stage, progress)]


@split
def read_classes(
    loaded: Loaded,
    prompts: Sequence[str],
    *,
    dropout_seed: int | None = None,
    token_budget: int | None = None,
    stage: Stage | None = None,
    progress: Progress | None = None,
) -> Readout:
    """Log-probabilities of the classes, in the order of `loaded.classes`, and how uncertain each prompt leaves it.

    Args:
        loaded: a model with head `classifier`.
        prompts: what to classify; those longer than the model reads lose their beginning.
        dropout_seed: leave dropout on, with noise from (seed, micro-batch), as a sample of the model's opinion
            (arXiv 1506.02142). The micro-batches come from all prompts, so the same call gives the same numbers.
        token_budget: most positions, padding included, in one forward pass; None suits the device.
        stage: where results are kept against a crash.
        progress: called with (prompts done, all prompts).

    Raises:
        ConfigError: the model has another head.
    """
    if loaded.ref.head != "classifier" or loaded.classes is None:
        raise ConfigError(
            f"head '{loaded.ref.head}' has no classes; score options or load the model with head 'classifier'"
        )
    found = _scores(loaded, prompts, dropout_seed, token_budget, stage, progress)
    rows = torch.tensor(found, dtype=torch.float64)
    return READINGS[loaded.reading](rows.reshape(len(prompts), len(loaded.classes)))


def _scores(
    loaded: Loaded,
    prompts: Sequence[str],
    dropout_seed: int | None,
    token_budget: int | None,
    stage: Stage | None,
    progress: Progress | None,
) -> list[list[float]]:
    """What the head says before softmax."""
    ids, _ = encode_prompts(loaded, prompts, loaded.max_length)
    head = loaded.head

    def work(number: int, items: Sequence[int]) -> list[list[float]]:
        if dropout_seed is not None:
            seed_dropout(seed_of("dropout pass", dropout_seed, number), loaded.device)
        scores = head(classifier_inputs([ids[i] for i in items], loaded.pad, loaded.device))
        found: list[list[float]] = scores.double().tolist()
        return found

    with torch.random.fork_rng(enabled=dropout_seed is not None), torch.inference_mode():
        head.train(dropout_seed is not None)
        try:
            batches = plan([len(own) for own in ids], token_budget or default_budget(loaded.device))
            found = (stage or Stage()).run(batches, work, progress)
        finally:
            head.eval()
    return [found[i] for i in range(len(ids))]

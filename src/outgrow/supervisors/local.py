"""A model on this machine as a supervisor: it scores options, generates text, or classifies."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from outgrow.core.errors import ConfigError
from outgrow.core.hashing import seed_of
from outgrow.core.journal import Records
from outgrow.models.batches import Progress, Stage
from outgrow.models.classifying import classify
from outgrow.models.generation import Generation, generate, uniform
from outgrow.models.loaded import Loaded
from outgrow.models.scoring import LengthNormalise, score_options, softmax
from outgrow.models.text import Dialogue, Prompt
from outgrow.supervisors.queries import (
    Decoding,
    Query,
    Turn,
    answers_table,
    check_samples,
    is_greedy,
    pose,
)
from outgrow.tasks.base import Task


def answer(
    loaded: Loaded,
    task: Task,
    examples: pa.Table,
    *,
    source: str,
    variants: int,
    turns: Sequence[Turn] = (),
    samples: int = 1,
    temperature: float = 0.0,
    seed: int,
    decoding: Decoding = "auto",
    length_normalise: LengthNormalise = "none",
    journal: Records | None = None,
    progress: Progress | None = None,
) -> pa.Table:
    """Ask a model every question in several wordings, several times.

    Args:
        loaded: the model.
        task: words the questions and reads generated answers.
        examples: the questions (`records.EXAMPLES`).
        source: what the answers call this model.
        variants: wordings per question, from the identity on.
        turns: demonstrations shown before each question (head `lm` alone).
        samples: answers per wording. Options and texts are drawn at `temperature`; a classifier answers sample 0 as it
            is, and the others with dropout.
        temperature: 0 takes the most probable answer. Variant 0, sample 0 is always the most probable answer.
        seed: of the draws, with question, wording, sample and position; independent of batches and order.
        decoding: `auto` classifies with head `classifier`, scores options where a wording has them, else generates.
        length_normalise: see `score_options`.
        journal: keeps finished micro-batches against a crash.
        progress: called with (queries done, all queries).

    Returns:
        Answers (`records.ANSWERS`), in the order of questions, wordings, samples. The table's metadata names the
        `decoding` and counts `boundary_mismatches`: options that joint tokenisation would have split otherwise.

    Raises:
        ConfigError: settings that contradict each other, the model or the task.
    """
    queries = pose(task, examples, variants, turns)
    kind = _decoding(decoding, loaded, queries)
    check_samples(samples, temperature, certain=kind != "classify")
    if kind == "options":
        answers = _by_options(loaded, queries, samples, temperature, seed, length_normalise, journal, progress)
    elif kind == "classify":
        answers = _by_class(loaded, queries, samples, temperature, seed, journal, progress)
    else:
        answers = _by_text(loaded, task, queries, samples, temperature, seed, journal, progress)
    scored = queries if kind == "options" else []
    pairs = [(_prompt(loaded, query), option) for query in scored for option in query.wording.options or ()]
    mismatches = loaded.coder.mismatches([p for p, _ in pairs], [o for _, o in pairs]) if loaded.coder else 0
    metadata = {"decoding": kind, "boundary_mismatches": str(mismatches)}
    return answers_table(queries, answers, source=source, metadata=metadata)


def _prompt(loaded: Loaded, query: Query) -> Prompt:
    """What the model reads: demonstrations are turns of a chat, or text before the question."""
    return Dialogue(query.turns, query.wording.prompt) if loaded.ref.chat and query.turns else query.asked


def _decoding(decoding: Decoding, loaded: Loaded, queries: Sequence[Query]) -> str:
    options = [query.wording.options is not None for query in queries]
    if loaded.classes is not None:
        if decoding not in ("auto", "classify"):
            raise ConfigError(f"decoding '{decoding}' needs head 'lm'; this model has head 'classifier'")
        if any(query.turns for query in queries):
            raise ConfigError("demonstrations need head 'lm'; this model has head 'classifier'")
        return "classify"
    if decoding == "classify":
        raise ConfigError("decoding 'classify' needs head 'classifier'; this model has head 'lm'")
    if decoding == "options" and not all(options):
        raise ConfigError("decoding 'options' needs options in every wording; this task has wordings without")
    if decoding == "auto":
        return "options" if all(options) else "generate"
    return decoding


def _by_options(
    loaded: Loaded,
    queries: Sequence[Query],
    samples: int,
    temperature: float,
    seed: int,
    length_normalise: LengthNormalise,
    journal: Records | None,
    progress: Progress | None,
) -> list[list[dict[str, Any]]]:
    scores = score_options(
        loaded,
        [_prompt(loaded, query) for query in queries],
        [query.wording.options or () for query in queries],
        length_normalise=length_normalise,
        stage=Stage(journal, "options"),
        progress=progress,
    )
    found = []
    for query, score in zip(queries, scores, strict=True):
        options, values = query.wording.options or (), query.wording.values or query.wording.options or ()
        probabilities: dict[str, float] = {}
        for value, p in zip(values, score.probabilities.tolist(), strict=True):
            probabilities[value] = probabilities.get(value, 0.0) + p
        several = []
        for sample in range(samples):
            pick = _pick(score.probabilities, query, sample, temperature, seed)
            several.append(
                {
                    "text": options[pick],
                    "value": values[pick],
                    "logprob": float(score.logprobs[pick]),
                    "n_tokens": int(score.n_tokens[pick]),
                    "probabilities": list(probabilities.items()),
                    "finish_reason": "scored",
                }
            )
        found.append(several)
    return found


def _by_class(
    loaded: Loaded,
    queries: Sequence[Query],
    samples: int,
    temperature: float,
    seed: int,
    journal: Records | None,
    progress: Progress | None,
) -> list[list[dict[str, Any]]]:
    assert loaded.classes is not None
    prompts = [query.wording.prompt for query in queries]
    found: list[list[dict[str, Any]]] = [[] for _ in queries]
    for sample in range(samples):
        logprobs = classify(
            loaded,
            prompts,
            dropout_seed=seed_of("sample", seed, sample) if sample else None,
            stage=Stage(journal, f"classify {sample}"),
            progress=_shifted(progress, sample * len(queries), samples * len(queries)),
        )
        for query, several, own in zip(queries, found, logprobs, strict=True):
            pick = _pick(np.exp(own), query, sample, temperature, seed)
            several.append(
                {
                    "text": loaded.classes[pick],
                    "value": loaded.classes[pick],
                    "logprob": float(own[pick]),
                    "probabilities": list(zip(loaded.classes, np.exp(own).tolist(), strict=True)),
                    "finish_reason": "scored",
                }
            )
    return found


def _by_text(
    loaded: Loaded,
    task: Task,
    queries: Sequence[Query],
    samples: int,
    temperature: float,
    seed: int,
    journal: Records | None,
    progress: Progress | None,
) -> list[list[dict[str, Any]]]:
    all_asked = [(i, sample) for i in range(len(queries)) for sample in range(samples)]
    greedy = [(i, s) for i, s in all_asked if is_greedy(queries[i].variant, s, temperature)]
    drawn = sorted(set(all_asked) - set(greedy))
    texts: dict[tuple[int, int], Generation] = {}
    for name, asked, heat, start in (("greedy", greedy, 0.0, 0), ("drawn", drawn, temperature, len(greedy))):
        generations = (
            generate(
                loaded,
                [_prompt(loaded, queries[i]) for i, _ in asked],
                max_new_tokens=task.max_new_tokens,
                temperature=heat,
                seeds=[seed_of("text", seed, queries[i].example.example_id, queries[i].variant, s) for i, s in asked],
                stage=Stage(journal, name),
                progress=_shifted(progress, start, len(all_asked)),
            )
            if asked
            else []
        )
        texts.update(zip(asked, generations, strict=True))
    found: list[list[dict[str, Any]]] = [[] for _ in queries]
    for i, sample in all_asked:
        text, query = texts[i, sample], queries[i]
        found[i].append(
            {
                "text": text.text,
                "value": task.extract(text.text, query.example, query.wording),
                "logprob": text.logprob,
                "n_tokens": text.n_tokens,
                "finish_reason": text.finish_reason,
            }
        )
    return found


def _pick(probabilities: Any, query: Query, sample: int, temperature: float, seed: int) -> int:
    """The most probable option, or one drawn from softmax(log p / temperature)."""
    if is_greedy(query.variant, sample, temperature):
        return int(np.argmax(probabilities))
    with np.errstate(divide="ignore"):
        shares = softmax(np.log(probabilities) / temperature).cumsum()
    u = uniform("option", seed, query.example.example_id, query.variant, sample)
    return min(int(np.searchsorted(shares, u * shares[-1], side="right")), len(shares) - 1)


def _shifted(progress: Progress | None, start: int, total: int) -> Progress | None:
    return None if progress is None else lambda done, _: progress(start + done, total)

"""What a supervisor is asked, and the answers table made of what it said; the same for every kind of supervisor."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import numpy as np
import pyarrow as pa

from outgrow.core.arrays import Float, Int
from outgrow.core.errors import ConfigError
from outgrow.core.tables import ANSWERS, TOKENS, Example, build, iter_examples
from outgrow.tasks.base import MISSING, Task, Wording
from outgrow.tasks.parsing import after_reasoning, before_cut

Decoding = Literal["auto", "options", "generate", "classify"]
Found = Mapping[str, Any]
"""One answer: any of the columns `text`, `value`, `logprob`, `n_tokens`, `probabilities`, `finish_reason`, and an
`uncertainty`."""


class Turn(NamedTuple):
    """A demonstration: what was asked, and what should be said."""

    prompt: str
    answer: str


@dataclass(frozen=True)
class Query:
    """One question in one wording, behind the demonstrations it is shown with."""

    example: Example
    variant: int
    wording: Wording
    turns: tuple[Turn, ...] = ()

    @property
    def asked(self) -> str:
        """The whole prompt as plain text: demonstrations first, a blank line between."""
        shown = [f"{turn.prompt.rstrip(' ')} {turn.answer}" for turn in self.turns]
        return "\n\n".join([*shown, self.wording.prompt])

    @property
    def options(self) -> tuple[str, ...]:
        """What may be said; empty where the answer is free."""
        return self.wording.options or ()

    @property
    def values(self) -> tuple[str, ...]:
        """Canonical values of the options, position by position."""
        return self.wording.values or self.options

    def read(self, task: Task, text: str, finish_reason: str | None = None) -> str | None:
        """The canonical answer that a reply gives behind its reasoning; None where it gives none.

        Args:
            task: reads it.
            text: the reply.
            finish_reason: with `length` the text was cut off, and only what it says completely counts.
        """
        answer = answer_part(text, finish_reason, choice=bool(self.options))
        return None if answer is None else task.extract(answer, self.example, self.wording)


def answer_part(text: str, finish_reason: str | None = None, *, choice: bool) -> str | None:
    """The part of a reply that its answer is read from: behind its reasoning, and complete; None where there is none.

    Args:
        text: the reply.
        finish_reason: with `length` the text was cut off, and only what it says completely counts.
        choice: whether one of some options was to be said.
    """
    answer = after_reasoning(text)
    if answer is not None and finish_reason == "length":
        answer = before_cut(answer, choice=choice)
    return answer


def pose(task: Task, examples: pa.Table, variants: int, turns: Sequence[Turn] = ()) -> list[Query]:
    """Every question in wordings 0 to `variants` - 1 that it has, in the order of questions, then wordings.

    Args:
        task: puts the questions into words.
        examples: the questions (`records.EXAMPLES`).
        variants: wordings of each, the identity included.
        turns: demonstrations shown before each question, rotated where a wording says so.

    Raises:
        ConfigError: the task has not as many wordings.
    """
    if not 1 <= variants <= task.n_variants:
        raise ConfigError(f"variants is {variants}; task '{task.name}' has 1 to {task.n_variants} wordings")
    posed = []
    for example in iter_examples(examples):
        for variant in range(variants):
            wording = task.wording(example, variant)
            if wording.kind != MISSING:
                posed.append(Query(example, variant, wording, rotated(turns, wording.rotation)))
    return posed


def rotated(turns: Sequence[Turn], by: int) -> tuple[Turn, ...]:
    """The demonstrations, the first `by` moved behind the others."""
    by = by % len(turns) if turns else 0
    return (*turns[by:], *turns[:by])


def check_samples(samples: int, temperature: float, *, certain: bool = True) -> None:
    """Refuse settings that give no answer, or copies of one.

    Args:
        samples: answers per wording.
        temperature: of sampling.
        certain: whether temperature 0 gives the same answer every time.

    Raises:
        ConfigError: fewer than one sample, or several at temperature 0.
    """
    if samples < 1:
        raise ConfigError(f"samples is {samples}; a question is asked at least once")
    if certain and samples > 1 and temperature <= 0:
        raise ConfigError(
            f"{samples} samples at temperature 0 are {samples} copies of one answer; set temperature above 0"
        )


def is_greedy(variant: int, sample: int, temperature: float) -> bool:
    """Whether the most probable answer is taken: at temperature 0, and always for variant 0, sample 0."""
    return temperature <= 0 or (variant == 0 and sample == 0)


def draw(weights: Float[np.ndarray, "n"], uniform: float) -> int:
    """One position in proportion to the weights: the first whose cumulative share exceeds `uniform`, in [0, 1)."""
    ends = weights.cumsum()
    return min(int(np.searchsorted(ends, uniform * ends[-1], side="right")), len(ends) - 1)


def scored_answer(
    pick: int,
    options: Sequence[str],
    values: Sequence[str],
    logprobs: Float[np.ndarray, "n"],
    probabilities: Float[np.ndarray, "n"],
    n_tokens: Sequence[int] | Int[np.ndarray, "n"] | None = None,
    finish_reason: str | None = "scored",
    uncertainty: float | None = None,
) -> Found:
    """The option at `pick`; `probabilities` of options that say the same value are added."""
    by_value: dict[str, float] = {}
    for value, p in zip(values, probabilities.tolist(), strict=True):
        by_value[value] = by_value.get(value, 0.0) + p
    return {
        "text": options[pick],
        "value": values[pick],
        "logprob": float(logprobs[pick]),
        "n_tokens": None if n_tokens is None else int(n_tokens[pick]),
        "probabilities": list(by_value.items()),
        "finish_reason": finish_reason,
        "uncertainty": uncertainty,
    }


def tokens_table(queries: Sequence[Query], answers: Sequence[Sequence[Found]], *, source: str) -> pa.Table:
    """The tokens (`records.TOKENS`) of answers whose `spans` and `logprobs` are given; as `answers_table`."""
    rows = [
        (query.example.example_id, query.variant, sample, answer["spans"], answer["logprobs"])
        for query, several in zip(queries, answers, strict=True)
        for sample, answer in enumerate(several)
    ]
    columns = {
        "example_id": [example for example, *_ in rows],
        "source": [source] * len(rows),
        "variant": [variant for _, variant, *_ in rows],
        "sample": [sample for _, _, sample, *_ in rows],
        "starts": [[start for start, _ in spans] for *_, spans, _ in rows],
        "ends": [[end for _, end in spans] for *_, spans, _ in rows],
        "logprobs": [list(logprobs) for *_, logprobs in rows],
    }
    return build(TOKENS, columns)


def answers_table(
    queries: Sequence[Query], found: Sequence[Sequence[Found]], *, source: str, metadata: Mapping[str, str]
) -> pa.Table:
    """Answers (`records.ANSWERS`) in the order of queries, then samples.

    Args:
        queries: what was asked.
        found: for each query its answers, one per sample. `prompt` is the wording's: demonstrations belong to the
            asking, not to the question.
        source: what the answers call the supervisor.
        metadata: of the table; the `uncertainty` of questions' first answers, where a model's reading has one, is
            added as a JSON object of numbers by `example_id`.
    """
    rows = [
        {**_asked(query), "source": source, "sample": sample, **answer}
        for query, answers in zip(queries, found, strict=True)
        for sample, answer in enumerate(answers)
    ]
    columns = {name: [row.get(name) for row in rows] for name in ANSWERS.names}
    unsure = {row["example_id"]: row.get("uncertainty") for row in rows if row["variant"] == row["sample"] == 0}
    known = {example: value for example, value in unsure.items() if value is not None}
    noted = {"uncertainty": json.dumps(known)} if known else {}
    return build(ANSWERS, columns).replace_schema_metadata({**metadata, **noted})


def _asked(query: Query) -> dict[str, Any]:
    wording = query.wording
    permutation = None if wording.permutation is None else list(wording.permutation)
    return {
        "example_id": query.example.example_id,
        "variant": query.variant,
        "wording": {"kind": wording.kind, "template": wording.template, "permutation": permutation},
        "prompt": wording.prompt,
    }

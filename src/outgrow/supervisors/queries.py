"""What a supervisor is asked, and the answers table made of what it said; the same for every kind of supervisor."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from outgrow.core.errors import ConfigError
from outgrow.core.tables import ANSWERS, Example, build, iter_examples
from outgrow.tasks.base import MISSING, Task, Wording

Decoding = Literal["auto", "options", "generate", "classify"]
Found = Mapping[str, Any]
"""One answer: any of the columns `text`, `value`, `logprob`, `n_tokens`, `probabilities`, `finish_reason`."""


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


def answers_table(
    queries: Sequence[Query], found: Sequence[Sequence[Found]], *, source: str, metadata: Mapping[str, str]
) -> pa.Table:
    """Answers (`records.ANSWERS`) in the order of queries, then samples.

    Args:
        queries: what was asked.
        found: for each query its answers, one per sample. `prompt` is the wording's: demonstrations belong to the
            asking, not to the question.
        source: what the answers call the supervisor.
        metadata: of the table.
    """
    rows = [
        _row(query, source, sample, one)
        for query, several in zip(queries, found, strict=True)
        for sample, one in enumerate(several)
    ]
    return build(ANSWERS, {name: [row.get(name) for row in rows] for name in ANSWERS.names}).replace_schema_metadata(
        dict(metadata)
    )


def _row(query: Query, source: str, sample: int, found: Found) -> dict[str, Any]:
    wording = query.wording
    permutation = None if wording.permutation is None else list(wording.permutation)
    return {
        "example_id": query.example.example_id,
        "source": source,
        "variant": query.variant,
        "sample": sample,
        "wording": {"kind": wording.kind, "template": wording.template, "permutation": permutation},
        "prompt": wording.prompt,
        **found,
    }

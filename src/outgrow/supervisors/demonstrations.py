"""Solved questions shown before a question; their order is a wording of its own."""

from __future__ import annotations

import pyarrow as pa

from outgrow.core.errors import ConfigError
from outgrow.core.hashing import sha256_text
from outgrow.core.tables import iter_examples
from outgrow.supervisors.queries import Turn
from outgrow.tasks.base import Task


def choose(task: Task, gold: pa.Table, count: int, seed: int) -> tuple[Turn, ...]:
    """`count` questions of `supervisor_train` with their gold answers, as variant 0 puts and says them.

    It is the half of the gold that a tuned supervisor learns from; demonstrations use it without training.

    Args:
        task: whose questions.
        gold: of its split `supervisor_train`, of one objective.
        count: how many.
        seed: of the draw; by hash of the question's id, so that more demonstrations include fewer.

    Raises:
        ConfigError: the split has not as many questions.
    """
    examples: pa.Table = task.examples("supervisor_train")
    if examples.num_rows < count:
        raise ConfigError(
            f"ask.demonstrations is {count}, but supervisor_train has {examples.num_rows} questions; lower it"
        )
    values = dict(zip(gold["example_id"].to_pylist(), gold["value"].to_pylist(), strict=True))
    drawn = sorted(iter_examples(examples), key=lambda e: sha256_text("demonstration", seed, e.example_id))[:count]
    turns = []
    for example in drawn:
        wording = task.wording(example, 0)
        value = values[example.example_id]
        answer = wording.say(value) if wording.options is not None else task.solution(example, value)
        turns.append(Turn(wording.prompt, answer))
    return tuple(turns)

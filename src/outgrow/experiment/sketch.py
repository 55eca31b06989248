"""Made-up answers and gold of exact shape, for dry runs and plans: ids, values and counts are real, no model is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.tables import ANSWERS, GOLD, Example, build, iter_examples
from outgrow.recipe.recipe import Labelling
from outgrow.supervisors.paraphrase import ParaphraseTask
from outgrow.tasks.base import Task
from outgrow.tasks.benchmarks import BenchmarkConfig, BenchmarkTask
from outgrow.tasks.benchmarks.made_up import made_up_questions


def planned_task(recipe: Labelling) -> Task:
    """The recipe's task; where its set would have to be downloaded, made-up questions in the expected numbers."""
    if isinstance(recipe.task, BenchmarkConfig) and recipe.task.from_hub:
        return BenchmarkTask(recipe.task, loaded=made_up_questions(recipe.task))
    return recipe.build_task()


def values_of(task: Task, example: Example) -> tuple[str, ...]:
    """Values an answer to the example may have; numbers where they are not listed."""
    return task.wording(example, 0).values or task.classes or tuple(str(n) for n in range(10))


def made_up_answers(
    task: Task, questions: pa.Table, source: str, variants: int, samples: int, seed: int | Sequence[int]
) -> pa.Table:
    """Answers of exact shape, each a seeded draw that favours one value per question.

    What paraphrases a question says it again, numbered. Questions without options are answered by texts.
    """
    n, rng = questions.num_rows, np.random.default_rng(seed)
    if isinstance(task, ParaphraseTask):
        texts = [f"{question} {number}" for question in questions["question"].to_pylist() for number in range(samples)]
        return _answers(questions, source, 1, samples, {"value": texts, "text": texts})
    values = [values_of(task, example) for example in iter_examples(questions)]
    shares, chosen = [], []
    for options in values:
        shares.append(rng.dirichlet(np.full(len(options), 0.5)))
        chosen.append(np.searchsorted(shares[-1].cumsum(), rng.random(variants * samples), side="right"))
    sizes = np.array([len(options) for options in values], np.int64)
    starts = np.concatenate([np.zeros(1, np.int64), sizes.cumsum()])
    names = pa.array([value for options in values for value in options], pa.string())
    drawn = np.array(chosen, np.int64).reshape(n, variants * samples)
    place = np.minimum(drawn, sizes[:, None] - 1) + starts[:-1, None]
    probabilities = pa.MapArray.from_arrays(pa.array(starts, pa.int32()), names, np.concatenate([*shares, []]))
    question = np.repeat(np.arange(n), variants * samples)
    value = names.take(pa.array(place.ravel()))
    free = [not task.classes and task.wording(example, 0).options is None for example in iter_examples(questions)]
    is_free = np.array(free, bool)[question]
    written = pa.array(is_free)
    columns = {
        "value": value,
        "text": pc.if_else(written, value, pa.scalar(None, pa.string())),
        "logprob": pa.array(np.log([share.max() for share in shares])[question]),
        "n_tokens": pa.array(np.full(len(question), 2)),
        "probabilities": probabilities.take(pa.array(question, mask=is_free)),
        "finish_reason": pc.if_else(written, "stop", "scored"),
    }
    return _answers(questions, source, variants, samples, columns)


def _answers(questions: pa.Table, source: str, variants: int, samples: int, columns: dict[str, Any]) -> pa.Table:
    """Answers by question, variant and sample, with `columns` beside."""
    n = questions.num_rows
    keys = {
        "example_id": questions["example_id"].take(np.repeat(np.arange(n), variants * samples)),
        "source": [source] * (n * variants * samples),
        "variant": pa.array(np.tile(np.repeat(np.arange(variants), samples), n)),
        "sample": pa.array(np.tile(np.arange(samples), n * variants)),
    }
    return build(ANSWERS, {**keys, **columns})


def made_up_gold(task: Task, questions: pa.Table, seed: int) -> pa.Table:
    """A value per question; not the truth."""
    rng = np.random.default_rng([seed, 1])
    examples = list(iter_examples(questions))
    values = [values_of(task, example) for example in examples]
    return build(
        GOLD,
        {
            "example_id": [example.example_id for example in examples],
            "objective": ["truth"] * len(examples),
            "value": [v[int(rng.integers(len(v)))] for v in values],
        },
    )

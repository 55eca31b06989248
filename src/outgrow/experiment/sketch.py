"""Made-up answers and gold of exact shape, for dry runs and plans: ids, values and counts are real, no model is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

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


def made_up_answers(task: Task, questions: pa.Table, source: str, variants: int, samples: int, seed: int) -> pa.Table:
    """Answers of exact shape, each a seeded draw that favours one value per question.

    What paraphrases a question says it again, numbered.
    """
    rng = np.random.default_rng(seed)
    rows: list[dict[str, Any]] = []
    for example in iter_examples(questions):
        common: dict[str, Any] = {"example_id": example.example_id, "source": source}
        if isinstance(task, ParaphraseTask):
            texts = [f"{example.question} {number}" for number in range(samples)]
            rows += [{**common, "variant": 0, "sample": n, "value": text, "text": text} for n, text in enumerate(texts)]
            continue
        values = values_of(task, example)
        share = rng.dirichlet(np.full(len(values), 0.5))
        common |= {"logprob": float(np.log(share.max())), "n_tokens": 2, "finish_reason": "scored",
                   "probabilities": dict(zip(values, share.tolist(), strict=True))}  # fmt: skip
        drawn = rng.choice(len(values), size=(variants, samples), p=share)
        for variant, places in enumerate(drawn.tolist()):
            rows += [
                {**common, "variant": variant, "sample": n, "value": values[place]} for n, place in enumerate(places)
            ]
    return build(ANSWERS, {name: [row.get(name) for row in rows] for name in ANSWERS.names})


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

"""What is done where the store, the models and the recipe's files are: checking before a run, results after it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from outgrow.core.gold import choose_objective
from outgrow.core.tables import iter_examples
from outgrow.evaluation import METRICS
from outgrow.experiment.graph import Done
from outgrow.experiment.lab import gold_values
from outgrow.experiment.question_tables import questions_of
from outgrow.experiment.results import collect
from outgrow.experiment.results.judged import gold_for
from outgrow.models.machine import threads
from outgrow.recipe.recipe import Recipe
from outgrow.store import Store
from outgrow.store.environment import environment


@dataclass(frozen=True)
class Gathered:
    """What a run comes to, from the store.

    Attributes:
        results: what becomes `results.json`.
        tables: file name to table.
        models: name, hash and size of each model.
        environment: of the place that computed it (`outgrow.store.environment`).
    """

    results: dict[str, Any]
    tables: dict[str, Any]
    models: list[Any]
    environment: dict[str, Any]


def check(recipe: Recipe, store: Any) -> None:
    """Find what would make every job fail, or the results, before any job begins.

    No torch, a faulty data file, no place for the store, a metric that is not defined for the task's answers.
    """
    threads(recipe.threads)
    metrics = [METRICS.require(name) for name in recipe.evaluation.metrics]
    questions = questions_of(recipe, anew=True)
    if metrics:
        gold = gold_values(choose_objective(questions.table("gold", "test"), recipe.objective))
        for metric in metrics:
            examples = iter_examples(questions.table("examples", "test"))
            truth = list(gold_for(metric, questions.task, examples, gold).values())
            metric.statistics(truth, truth, sorted(set(truth)))
    Store(store, unsealed=True).prepare()


def gather(recipe: Recipe, store: Any, done: Sequence[Done]) -> Gathered:
    """Results of a run whose jobs are done; a step that is missing or damaged by now is made again."""
    threads(recipe.threads)
    results, tables, models = collect(recipe, Store(store, unsealed=True), done)
    return Gathered(results, tables, models, environment())

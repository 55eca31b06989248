"""Questions from outside the training distribution, which trained students are asked as well."""

from __future__ import annotations

import pyarrow as pa

from outgrow.core.errors import ConfigError
from outgrow.core.lab import ONCE, Source
from outgrow.experiment.question_tables import Questions
from outgrow.experiment.sketch import planned_task
from outgrow.experiment.step_runner import StepRunner
from outgrow.recipe.recipe import Recipe
from outgrow.tasks.base import Task

KEY = "evaluation.out_of_distribution"


def shifted_questions(runner: StepRunner) -> Questions | None:
    """The questions of `evaluation.out_of_distribution`, gold included; None where the recipe names none.

    Those that the recipe's own splits have are left out.

    Raises:
        ConfigError: the other task has other classes, or no test question that the recipe's own has not.
    """
    recipe, questions = runner.recipe, runner.questions
    if not isinstance(recipe, Recipe) or recipe.evaluation.out_of_distribution is None:
        return None
    if questions.shifted is None:
        other = recipe.model_copy(update={"task": recipe.evaluation.out_of_distribution})
        task: Task = planned_task(other) if runner.steps.imagined else other.build_task()
        if set(task.classes or ()) != set(questions.task.classes or ()):
            raise ConfigError(
                f"{KEY}: task '{task.name}' has the classes {task.classes}, and students learn "
                f"{questions.task.classes}; their confidence can be compared on the same classes alone"
            )
        tables = [questions.table("examples", split) for split in questions.task.splits]
        shifted = Questions(task, {i for table in tables for i in table["example_id"].to_pylist()})
        if not shifted.table("examples", "test").num_rows:
            raise ConfigError(
                f"{KEY}: all test questions of task '{task.name}' are the recipe's own, so they are not out of "
                "distribution; take another family, mix, world or set"
            )
        questions.shifted = shifted
    return questions.shifted


def answer_shifted(runner: StepRunner, source: Source) -> pa.Table | None:
    """A student's answers to those test questions, in their identity wordings; None where there are none."""
    shifted = shifted_questions(runner)
    if shifted is None:
        return None
    examples, split = shifted.table("examples", "test"), "test out of distribution"
    return runner.answer_some(source, examples, ONCE, seed=0, split=split, task=shifted.task)

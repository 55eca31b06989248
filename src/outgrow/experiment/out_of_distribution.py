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

    Raises:
        ConfigError: the other task has other classes, or questions of the recipe's own.
    """
    recipe, questions = runner.recipe, runner.questions
    if not isinstance(recipe, Recipe) or recipe.evaluation.out_of_distribution is None:
        return None
    if questions.shifted is None:
        other = recipe.model_copy(update={"task": recipe.evaluation.out_of_distribution})
        shifted = Questions(planned_task(other) if runner.steps.imagined else other.build_task())
        _check(questions, shifted)
        questions.shifted = shifted
    return questions.shifted


def answer_shifted(runner: StepRunner, source: Source) -> pa.Table | None:
    """A student's answers to those test questions, in their identity wordings; None where there are none."""
    shifted = shifted_questions(runner)
    if shifted is None:
        return None
    examples, split = shifted.table("examples", "test"), "test out of distribution"
    return runner.answer_some(source, examples, ONCE, seed=0, split=split, task=shifted.task)


def _check(questions: Questions, shifted: Questions) -> None:
    task: Task = questions.task
    other: Task = shifted.task
    if set(task.classes or ()) != set(other.classes or ()):
        raise ConfigError(
            f"{KEY}: task '{other.name}' has the classes {other.classes}, and students learn {task.classes}; their "
            "confidence can be compared on the same classes alone"
        )
    asked = set(shifted.table("examples", "test")["example_id"].to_pylist())
    for split in task.splits:
        if common := asked & set(questions.table("examples", split)["example_id"].to_pylist()):
            raise ConfigError(
                f"{KEY}: {len(common)} of its {len(asked)} test questions are in the recipe's split '{split}', so they "
                "are not out of distribution; take another family, mix or set"
            )

"""How sources made of several models are asked: the models first, then what follows from their answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pyarrow as pa

from outgrow.core.lab import Source
from outgrow.core.tables import iter_examples
from outgrow.experiment.answering import Report
from outgrow.experiment.best_of import BestAnswer
from outgrow.experiment.composing import DerivedAnswer
from outgrow.experiment.contrasting import ContrastAnswer
from outgrow.experiment.joint import JointAnswer, proposals
from outgrow.experiment.sources import BestHandle, Composed, JointHandle, Sources
from outgrow.supervisors.asking import Asking
from outgrow.tasks.base import Task


def composed_answer(
    sources: Sources, handle: Composed, task: Task, examples: pa.Table, asking: Asking, split: str, report: Report,
    *, ask: Callable[[Source, Asking], pa.Table], do: Callable[[Any], pa.Table],
) -> DerivedAnswer:  # fmt: skip
    """The step that answers for a source.

    Args:
        sources: loads models.
        handle: the source.
        task: words the questions.
        examples: the questions.
        asking: how they are put.
        split: what the questions are called.
        report: hears of progress.
        ask: answers of one of the models to the same questions.
        do: carries out a step.
    """
    if isinstance(handle, BestHandle):
        several = replace(asking, samples=handle.samples, temperature=handle.temperature, seed=handle.seed)
        drawn = ask(handle.writer.source, several)
        return BestAnswer(sources, handle, task, examples, asking, split, drawn, report)

    def parts() -> dict[str, pa.Table]:
        once = replace(asking, samples=1, temperature=0.0)
        return {name: ask(each.source, once) for name, each in handle.models.items()}

    if isinstance(handle, JointHandle):
        answers = parts()
        written = any(each["probabilities"].null_count for each in answers.values())
        proposed = proposals(handle, answers, sources, do) if written else None
        return JointAnswer(sources, handle, task, examples, asking, split, answers, proposed)
    first = next(iter(iter_examples(examples.slice(0, 1))), None)
    of_options = task.classes is not None or (first is not None and task.wording(first, 0).options is not None)
    return ContrastAnswer(sources, handle, task, examples, asking, split, parts() if of_options else None, report)

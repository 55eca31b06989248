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
from outgrow.experiment.steps import StepRequest
from outgrow.supervisors.asking import Asking
from outgrow.tasks.base import Task


def composed_answer(
    sources: Sources, handle: Composed, task: Task, examples: pa.Table, asking: Asking, split: str, report: Report,
    *, ask: Callable[[Source, Asking], StepRequest[pa.Table]], do: Callable[[Any], pa.Table],
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
        ask: the step in which one of the models answers the same questions.
        do: carries out a step.
    """
    if isinstance(handle, BestHandle):
        several = replace(asking, samples=handle.samples, temperature=handle.temperature, seed=handle.seed)
        drawn = do(ask(handle.writer.source, several))
        return BestAnswer(sources, handle, task, examples, asking, split, drawn, report)

    def parts(beams: int = 1) -> dict[str, StepRequest[pa.Table]]:
        once = replace(asking, samples=1, temperature=0.0, beams=beams)
        return {name: ask(each.source, once) for name, each in handle.models.items()}

    first = next(iter(iter_examples(examples.slice(0, 1))), None)
    of_options = task.classes is not None or (first is not None and task.wording(first, 0).options is not None)
    if isinstance(handle, JointHandle) and not (of_options and asking.decoding != "generate"):
        proposed = proposals(handle, parts(handle.beams), sources, do)
        return JointAnswer(sources, handle, task, examples, asking, split, {}, proposed)
    answers = {name: do(each) for name, each in parts().items()} if of_options else None
    if isinstance(handle, JointHandle):
        return JointAnswer(sources, handle, task, examples, asking, split, answers or {}, None)
    return ContrastAnswer(sources, handle, task, examples, asking, split, answers, report)

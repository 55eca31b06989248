"""What metrics judge: parsed values, or the slots of answers in the order of their texts, repeats included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import pyarrow as pa

from outgrow.core.tables import Example
from outgrow.evaluation.metrics import Metric, judges_slots
from outgrow.evaluation.slot_metrics import f1_by_type
from outgrow.supervisors.queries import answer_part
from outgrow.tasks.base import Task
from outgrow.tasks.parsing import slots_in_order

Predicted = Mapping[str, Sequence[Mapping[str, str | None]]]


@dataclass(frozen=True)
class Judged:
    """What one kind of metrics judges.

    Attributes:
        predicted: per arm and seed, question to its answer.
        gold: question to its truth.
    """

    predicted: Predicted
    gold: Mapping[str, str]

    def of_types(self, ids: Sequence[str]) -> list[dict[str, object]]:
        """Of slots: each type with its frequency in gold, and its F1 in each arm, all seeds taken together."""
        truth = [self.gold[i] for i in ids]
        gold = {each.type: each.gold for each in f1_by_type([None] * len(ids), truth)}
        arms = {
            arm: {
                each.type: each.f1
                for each in f1_by_type([one.get(i) for one in seeds for i in ids], truth * len(seeds))
            }
            for arm, seeds in self.predicted.items()
        }
        return [
            {"type": name, "gold": count, "f1": {arm: f1[name] for arm, f1 in arms.items()}}
            for name, count in gold.items()
        ]


def slots_behind(values: Mapping[str, str | None], answers: pa.Table) -> dict[str, str | None]:
    """Question to the slots of the first answer that gave its value, as the text of that answer has them.

    Read is what the value was read from: nothing of a text whose end was cut off before its answer was complete. Where
    there is no such text, it is the value, in canonical order.
    """
    slots: dict[str, str | None] = {}
    columns = (answers[name].to_pylist() for name in ("example_id", "value", "text", "finish_reason"))
    for question, value, text, finish_reason in zip(*columns, strict=True):
        if value is not None and value == values.get(question) and question not in slots:
            part = answer_part(text or "", finish_reason, choice=False)
            slots[question] = slots_in_order(part or "") or slots_in_order(value)
    unseen = {question: value for question, value in values.items() if question not in slots}
    return slots | {question: slots_in_order(value) for question, value in unseen.items() if value is not None}


def gold_for(metric: Metric, task: Task, examples: Iterable[Example], gold: Mapping[str, str]) -> Mapping[str, str]:
    """The truth of each question as a metric judges it: of slots as the worked answer orders them.

    What is no slots stays as it is, for the metric to refuse.
    """
    if not judges_slots(metric):
        return gold
    texts = {e.example_id: task.solution(e, gold[e.example_id]) for e in examples}
    return {question: slots_in_order(text) or gold[question] for question, text in texts.items()}

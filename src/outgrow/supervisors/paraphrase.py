"""Other ways to say a question, written by a model: what it is asked, and which of its texts are usable."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cached_property

import pyarrow as pa

from outgrow.core.tables import GOLD, Example
from outgrow.tasks.base import Task, Wording
from outgrow.tasks.splits import normalise_text

INSTRUCTION = (
    "Say the following question in other words. Keep its meaning, every name and every number. "
    "Answer with the new question alone.\n\nQuestion: {question}\nNew question:"
)
READING_VERSION = 2
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_NAMED_LINE = re.compile(r"(?<=\n)[A-Z][a-z]+(?: [a-z]+)?: .*")  # "Proposed answer: ...", which is what is judged
_LEAD = re.compile(r"^\s*(?:new question|question|paraphrase)\s*:\s*", re.IGNORECASE)


class ParaphraseTask:
    """The questions of a task, put so that the answer is a paraphrase of the question.

    Args:
        task: whose questions are paraphrased.
        instruction: what the model is told, with `{question}`.
    """

    classes = None
    public_meta: tuple[str, ...] = ()
    n_variants = 1

    def __init__(self, task: Task, instruction: str = INSTRUCTION) -> None:
        self._task, self._instruction = task, instruction
        self.name = f"{task.name} paraphrased"
        self.splits, self.examples = task.splits, task.examples

    @cached_property
    def max_new_tokens(self) -> int:
        """Room for three tokens per word of the longest question, at most 256."""
        questions = (q for split in self.splits for q in self.examples(split)["question"].to_pylist())
        return min(256, 8 + 3 * max((len(question.split()) for question in questions), default=0))

    def fingerprint(self) -> str:
        """Nothing more than the task's, the instruction, and how texts are read."""
        return f"{self._task.fingerprint()}/{READING_VERSION}/{self._instruction}"

    def gold(self, split: str) -> pa.Table:
        """None: there is no right paraphrase."""
        return GOLD.empty_table()

    def wording(self, example: Example, variant: int) -> Wording:
        """The instruction with the question in it."""
        return Wording(self._instruction.replace("{question}", example.question), kind="paraphrasing")

    def solution(self, example: Example, value: str) -> str:
        """The text itself."""
        return value

    def extract(self, text: str, example: Example, wording: Wording) -> str | None:
        """The paraphrase, or None when it cannot stand for the question.

        It must say something, differ from the question, be neither much shorter nor much longer, and hold the same
        numbers and the lines that begin with a name ("Trait: ..."): without them it is another question. Whether the
        meaning was kept cannot be told here.
        """
        said = _LEAD.sub("", text.strip()).strip().strip('"')
        if not said or normalise_text(said) == normalise_text(example.question):
            return None
        if not 0.3 <= len(said) / max(1, len(example.question)) <= 3.0:
            return None
        if sorted(_NUMBER.findall(said)) != sorted(_NUMBER.findall(example.question)):
            return None
        if any(line not in said for line in _NAMED_LINE.findall(example.question)):
            return None
        return said

    def canonicalise(self, answers: pa.Table) -> pa.Table:
        """Unchanged."""
        return answers


def usable(answers: Iterable[Mapping[str, object]]) -> dict[str, list[str]]:
    """Question id to its different usable paraphrases, in the order of samples.

    Args:
        answers: rows with `example_id`, `sample` and `value` (null: not usable).
    """
    found: dict[str, dict[str, str]] = {}
    for row in sorted(answers, key=lambda row: (str(row["example_id"]), row["sample"])):
        texts = found.setdefault(str(row["example_id"]), {})
        if row["value"] is not None:
            texts.setdefault(normalise_text(str(row["value"])), str(row["value"]))
    return {example_id: list(texts.values()) for example_id, texts in found.items()}

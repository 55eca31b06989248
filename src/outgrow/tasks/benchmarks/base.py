"""The one task class of all benchmarks: questions in splits, in words, and answers read back."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from pathlib import Path

import pyarrow as pa

from outgrow.core.errors import DataError
from outgrow.core.hashing import sha256_text
from outgrow.core.tables import Example
from outgrow.tasks.base import Wording
from outgrow.tasks.benchmarks.answers import (
    YES_NO,
    Choice,
    Classes,
    Free,
    listed,
)
from outgrow.tasks.benchmarks.config import BenchmarkConfig
from outgrow.tasks.benchmarks.loading import Loaded, load_questions
from outgrow.tasks.benchmarks.posing import CANDIDATE_PROMPT, as_candidates, downsampled
from outgrow.tasks.orders import check_variant, fill, number_of_orders, option_lines, option_order, variant_parts
from outgrow.tasks.parsing import canonicalise_answers, read_words
from outgrow.tasks.questions import Dealt, DealtTask, Question, Rows, deal, question_id

WORDINGS_VERSION = 3


class BenchmarkTask(DealtTask):
    """A public set as a task.

    Args:
        config: which set, from where, in which splits and how posed.
        data_dir: where relative folders and files are looked up.
        loaded: questions instead of those of hub or files; a dry run makes some up.

    Attributes:
        classes: the classes all questions share; None for options of their own and for free text.
        n_variants: templates, times the orders of the answers where a template lists them.
        max_new_tokens: enough for an answer with its reasoning, where the set asks for some.

    Raises:
        DataError: a file or a row is wrong, or a split cannot be filled.
        PrerequisiteError: the set has to be downloaded and cannot be.
    """

    def __init__(self, config: BenchmarkConfig, *, data_dir: Path = Path(), loaded: Loaded | None = None) -> None:
        self.config = config
        self.benchmark = config.benchmark()
        loaded = loaded or load_questions(config, data_dir)
        sources = config.dealt(loaded.present)
        name = config.name or self.benchmark.name
        dealt = deal([q for q in loaded.questions if q.file in {f for f, _ in sources.values()}], sources, config.seed)
        splits: dict[str, Rows] = {}
        not_posed = downsampled_rows = 0
        for split, rows in dealt.splits.items():
            if config.candidates:
                rows, left_out = as_candidates(rows, config.seed)
                not_posed += left_out
            if config.balance == "downsample":
                kept = downsampled(rows, config.seed)
                downsampled_rows += len(rows) - len(kept)
                rows = kept
            if not rows:
                raise DataError(f"split '{split}' of {name} is left without a question")
            splits[split] = rows
        audit = replace(dealt.audit, not_posed=not_posed, downsampled=downsampled_rows, notes=loaded.notes)
        super().__init__(name, Dealt(splits, audit))
        self._by_id = {question_id(name, q): q for rows in splits.values() for q, _ in rows}
        self.max_new_tokens = config.max_new_tokens or self.benchmark.max_new_tokens
        self._answer = YES_NO if config.candidates else self.benchmark.answer
        self._prompts = {"": (CANDIDATE_PROMPT,)} if config.candidates else dict(self.benchmark.prompts)
        self.classes: tuple[str, ...] | None = None
        if isinstance(self._answer, Classes):
            self.classes = self._answer.values or tuple(sorted({q.gold for q in self._by_id.values()}))
        self._n_templates = min(map(len, self._prompts.values()))
        self._orders = self._count_orders()
        self.n_variants = self._n_templates * self._orders

    @cached_property
    def _fingerprint(self) -> str:
        def plain(q: Question, group: str) -> list[object]:
            return [question_id(self.name, q), q.gold, q.stratum, q.form, dict(q.fields), q.solution, group]

        content = {split: [plain(q, group) for q, group in rows] for split, rows in self._dealt.splits.items()}
        words = [dict(self._prompts), self.config.candidates, isinstance(self._answer, Choice) and self._answer.letters]
        said = dict(self._answer.words) if isinstance(self._answer, Classes) else None
        return sha256_text("benchmark", WORDINGS_VERSION, words, said, self.classes, self.max_new_tokens, content)

    def fingerprint(self) -> str:
        """Hash of the questions in their splits, their gold, and the wordings; not of where they were read from."""
        return self._fingerprint

    # Words --------------------------------------------------------------------------------------------------

    def _count_orders(self) -> int:
        templates = [template for form in self._prompts.values() for template in form]
        if not any("{options}" in template or "{words}" in template for template in templates):
            return 1
        if isinstance(self._answer, Choice):
            return number_of_orders(min(len(q.choices or ()) for q in self._by_id.values()))
        return 2 if self.classes is not None and len(self.classes) == 2 else 1

    def _question(self, example: Example) -> Question:
        if example.example_id not in self._by_id:
            raise DataError(f"example {example.example_id} is no question of {self.name}")
        return self._by_id[example.example_id]

    def wording(self, example: Example, variant: int) -> Wording:
        """Variant 0 is the first template with the answers in their own order; see `outgrow.tasks.orders`.

        The question is put as the example says it, which a paraphrase says otherwise.

        Raises:
            ConfigError: there is no such variant.
            DataError: the example is not of this task.
        """
        check_variant(variant, self.name, self.n_variants, "; lower ask.variants")
        question = self._question(example)
        number, order_number, kind = variant_parts(variant, self._n_templates, self._orders)
        template = self._prompts[question.form][number]
        parts = {**question.fields, "text": example.question}  # which may be a paraphrase
        if isinstance(self._answer, Free):
            return Wording(fill(template, parts), None, None, kind, str(number), None)
        values = question.choices if isinstance(self._answer, Choice) else self.classes
        assert values is not None
        order = option_order(len(values), order_number) if self._orders > 1 else tuple(range(len(values)))
        values = tuple(values[i] for i in order)
        said = self._said(question, values)
        lettered = isinstance(self._answer, Choice) and self._answer.letters
        parts |= {"options": option_lines(values, lettered), "words": listed(said)}
        return Wording(fill(template, parts), said, values, kind, str(number), order if self._orders > 1 else None)

    def _said(self, question: Question, values: tuple[str, ...]) -> tuple[str, ...]:
        if isinstance(self._answer, Choice):
            return self._answer.said(values)
        assert isinstance(self._answer, Classes)
        assert self.classes is not None
        words = self._answer.words.get(question.form, self.classes)
        return tuple(words[self.classes.index(value)] for value in values)

    def solution(self, example: Example, value: str) -> str:
        """The worked gold answer of a free-text question; the value itself where answers are options or classes."""
        if not isinstance(self._answer, Free):
            return value
        question = self._question(example)
        worked = question.solution if value == question.gold else None
        return self._answer.say(value) if worked is None else worked

    def extract(self, text: str, example: Example, wording: Wording) -> str | None:
        """The canonical answer that a text gives, or None."""
        if isinstance(self._answer, Free):
            return self._answer.read(text)
        options, values = wording.options or (), wording.values or ()
        if isinstance(self._answer, Choice):
            found = self._answer.read(text, options, values)
        else:
            found = read_words(text, options)
        return None if found is None else values[found]

    def canonicalise(self, answers: pa.Table) -> pa.Table:
        """Equal answers under one form where the set's answers can be written differently; else unchanged."""
        if isinstance(self._answer, Free) and self._answer.same is not None:
            return canonicalise_answers(answers, self._answer.same)
        return answers

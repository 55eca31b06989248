"""Task `kind: table`: questions in the user's own JSON Lines, CSV or Parquet."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from string import ascii_uppercase

import pyarrow as pa

from outgrow.core.errors import DataError
from outgrow.core.hashing import sha256_text
from outgrow.core.tables import Example
from outgrow.tasks.base import Wording
from outgrow.tasks.orders import check_variant, fill, number_of_orders, option_lines, option_order, variant_parts
from outgrow.tasks.parsing import final_number, first_line, normalise_answer, read_letter, read_words
from outgrow.tasks.questions import UNLABELLED, DealtTask, Question, deal, question_id
from outgrow.tasks.splits import normalise_text
from outgrow.tasks.table_config import TableConfig
from outgrow.tasks.table_rows import read_questions

WORDINGS_VERSION = 3


def _classes(config: TableConfig, questions: Sequence[Question]) -> tuple[str, ...] | None:
    """The classes all questions share, None where each has its own choices."""
    if config.choices is not None or config.answer != "options":
        return None
    golds = sorted({q.gold for q in questions} - {UNLABELLED})
    if len(golds) < 2 and config.label is not None:
        raise DataError(
            f"column '{config.label}' holds fewer than two classes: {golds}; there is nothing to tell apart. "
            "Check the column's name"
        )
    classes = tuple(config.classes or golds)
    forms = [normalise_text(name) for name in classes]
    if twins := [name for name, form in zip(classes, forms, strict=True) if forms.count(form) > 1]:
        raise DataError(
            f"column '{config.label}': the classes {twins} differ only in case or white space; write them alike"
        )
    return classes


class TableTask(DealtTask):
    """Classification, multiple choice or short free answers over the rows of files.

    Args:
        config: files, columns, wordings and splits.
        data_dir: where relative file names are looked up.

    Attributes:
        classes: the classes all questions share; None where each question has its own choices.
        n_variants: prompts, times orders of the options where a prompt lists them.

    Raises:
        DataError: a file, a row or the number of classes is wrong; see `outgrow.tasks.table_rows`.
    """

    def __init__(self, config: TableConfig, *, data_dir: Path = Path()) -> None:
        self.config = config
        questions = read_questions(config, data_dir)
        self.classes = _classes(config, questions)
        self.max_new_tokens = config.max_new_tokens
        sizes = [len(q.choices or self.classes or ()) for q in questions]
        if config.letters and max(sizes) > len(ascii_uppercase):
            raise DataError(f"letters: {max(sizes)} options are more than there are letters; set letters: false")
        name = config.name or Path(next(iter(config.paths().values()))).stem
        super().__init__(name, deal(questions, config.dealt(), config.seed))
        self._templates = config.templates()
        self._words = config.classes if isinstance(config.classes, dict) else None
        listing = any("{options}" in template for template in self._templates)
        self._orders = number_of_orders(min(sizes)) if listing else 1
        self.n_variants = len(self._templates) * self._orders

    @cached_property
    def _fingerprint(self) -> str:
        content = {
            split: [[question_id(self.name, q), q.text, q.choices, q.gold, q.stratum, group] for q, group in rows]
            for split, rows in self._dealt.splits.items()
        }
        words = [list(self._templates), self.config.letters, self._words]
        words += [self.config.answer] if self.config.answer != "options" else []
        return sha256_text("table", WORDINGS_VERSION, words, self.max_new_tokens, self.classes, content)

    def fingerprint(self) -> str:
        """Hash of the questions in their splits, their gold, and the wordings; not of paths or unused columns."""
        return self._fingerprint

    # Words --------------------------------------------------------------------------------------------------

    def wording(self, example: Example, variant: int) -> Wording:
        """Variant 0 is the first prompt with the options in their own order; see `option_order` for the others.

        Raises:
            ConfigError: there is no such variant.
        """
        advice = "; lower ask.variants, add prompts, or list the {options} in a prompt"
        check_variant(variant, self.name, self.n_variants, advice)
        number, order_number, kind = variant_parts(variant, len(self._templates), self._orders)
        template = self._templates[number]
        if self.config.answer != "options":
            return Wording(fill(template, {"text": example.question}), kind=kind, template=str(number))
        values = example.choices if self.classes is None else self.classes
        if values is None:
            raise DataError(f"example {example.example_id} has no choices")
        listed = "{options}" in template
        order = option_order(len(values), order_number) if listed else tuple(range(len(values)))
        values = tuple(values[i] for i in order)
        words = tuple((self._words or {}).get(value, value) for value in values)
        return Wording(
            prompt=fill(template, {"text": example.question, "options": option_lines(words, self.config.letters)}),
            options=tuple(ascii_uppercase[: len(words)]) if self.config.letters else words,
            values=values,
            kind=kind,
            template=str(number),
            permutation=order if listed else None,
        )

    def solution(self, example: Example, value: str) -> str:
        """The value itself."""
        return value

    def extract(self, text: str, example: Example, wording: Wording) -> str | None:
        """The option that a text says by its letter or in its words; else the number at its end, or its first line."""
        if self.config.answer == "number":
            return final_number(text)
        if self.config.answer == "text":
            return normalise_answer(first_line(text))
        options, values = wording.options or (), wording.values or ()
        if self.config.letters:
            found = read_letter(text, len(options), [(self._words or {}).get(value, value) for value in values])
        else:
            found = read_words(text, options)
        return None if found is None else values[found]

    def canonicalise(self, answers: pa.Table) -> pa.Table:
        """Unchanged: every value is in its one form already."""
        return answers

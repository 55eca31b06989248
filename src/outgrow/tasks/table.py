"""Task `kind: table`: questions in the user's own JSON Lines, CSV or Parquet."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from string import ascii_uppercase

import pyarrow as pa

from outgrow.core.errors import ConfigError, DataError
from outgrow.core.hashing import sha256_text
from outgrow.core.tables import Example
from outgrow.tasks.base import Wording
from outgrow.tasks.orders import number_of_orders, option_order, variant_parts
from outgrow.tasks.parsing import final_number, normalise_answer
from outgrow.tasks.questions import UNLABELLED, DealtTask, Question, deal, question_id
from outgrow.tasks.splits import normalise_text
from outgrow.tasks.table_config import TableConfig
from outgrow.tasks.table_rows import read_questions

WORDINGS_VERSION = 2


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

    Raises:
        DataError: a file, a row or the number of classes is wrong; see `outgrow.tasks.table_rows`.
    """

    def __init__(self, config: TableConfig, *, data_dir: Path = Path()) -> None:
        self.config = config
        questions = read_questions(config, data_dir)
        self._classes = _classes(config, questions)
        sizes = [len(q.choices or self._classes or ()) for q in questions]
        self._fewest = min(sizes)
        if config.letters and max(sizes) > len(ascii_uppercase):
            raise DataError(f"letters: {max(sizes)} options are more than there are letters; set letters: false")
        name = config.name or Path(next(iter(config.paths().values()))).stem
        super().__init__(name, deal(questions, config.dealt(), config.seed))

    @property
    def classes(self) -> tuple[str, ...] | None:
        """The classes all questions share; None where each question has its own choices."""
        return self._classes

    @property
    def n_variants(self) -> int:
        """Prompts, times orders of the options where a prompt lists them."""
        return len(self._templates) * self._orders

    @property
    def max_new_tokens(self) -> int:
        """As configured."""
        return self.config.max_new_tokens

    @cached_property
    def _fingerprint(self) -> str:
        content = {
            split: [[question_id(self.name, q), q.text, q.choices, q.gold, q.stratum, group] for q, group in rows]
            for split, rows in self._dealt.splits.items()
        }
        words = [*self._words(), *([self.config.answer] if self.config.answer != "options" else [])]
        return sha256_text("table", WORDINGS_VERSION, words, self.max_new_tokens, self._classes, content)

    def fingerprint(self) -> str:
        """Hash of the questions in their splits, their gold, and the wordings; not of paths or unused columns."""
        return self._fingerprint

    # Words --------------------------------------------------------------------------------------------------

    @property
    def _templates(self) -> tuple[str, ...]:
        return self.config.templates()

    @property
    def _orders(self) -> int:
        if not any("{options}" in template for template in self._templates):
            return 1
        return number_of_orders(self._fewest)

    def _words(self) -> list[object]:
        words = self.config.classes if isinstance(self.config.classes, dict) else None
        return [list(self._templates), self.config.letters, words]

    def wording(self, example: Example, variant: int) -> Wording:
        """Variant 0 is the first prompt with the options in their own order; see `option_order` for the others.

        Raises:
            ConfigError: there is no such variant.
        """
        if not 0 <= variant < self.n_variants:
            raise ConfigError(
                f"variant {variant} asked of {self.name}, which has {self.n_variants} wordings; "
                "lower ask.variants, add prompts, or list the {options} in a prompt"
            )
        templates = self._templates
        number, order_number, kind = variant_parts(variant, len(templates), self._orders)
        if self.config.answer != "options":
            prompt = templates[number].replace("{text}", example.question)
            return Wording(prompt, kind=kind, template=str(number))
        values = self._values(example)
        listed = "{options}" in templates[number]
        order = option_order(len(values), order_number) if listed else tuple(range(len(values)))
        values = tuple(values[i] for i in order)
        words = self.config.classes if isinstance(self.config.classes, dict) else {}
        said = tuple(words.get(value, value) for value in values)
        mark = ascii_uppercase if self.config.letters else "-" * len(said)
        lines = (f"{m}. {s}" if self.config.letters else f"{m} {s}" for m, s in zip(mark, said, strict=False))
        parts = {"text": example.question, "options": "\n".join(lines)}
        prompt = re.sub(r"{(text|options)}", lambda found: parts[found.group(1)], templates[number])
        return Wording(
            prompt=prompt,
            options=tuple(ascii_uppercase[: len(said)]) if self.config.letters else said,
            values=values,
            kind=kind,
            template=str(number),
            permutation=order if listed else None,
        )

    def _values(self, example: Example) -> tuple[str, ...]:
        values = example.choices if self._classes is None else self._classes
        if values is None:
            raise DataError(f"example {example.example_id} has no choices")
        return values

    def solution(self, example: Example, value: str) -> str:
        """The value itself."""
        return value

    def extract(self, text: str, example: Example, wording: Wording) -> str | None:
        """The option that a text says: alone on its first line, or the only option named there as whole words.

        Without options the number at its end, or its first line in normal form.
        """
        if self.config.answer == "number":
            return final_number(text)
        line = next((line for line in text.splitlines() if line.strip()), "")
        if self.config.answer == "text":
            return normalise_answer(line)
        said = normalise_text(line).strip(" .,:;!?\"'()[]*")
        forms = [normalise_text(option) for option in wording.options or ()]
        if self.config.letters and (letter := re.match(r"([a-z])(?!\w)", said)):
            said = letter.group(1)
        named = [said == form for form in forms]
        if not any(named) and not self.config.letters:
            named = [re.search(rf"(?<!\w){re.escape(form)}(?!\w)", said) is not None for form in forms]
        return (wording.values or ())[named.index(True)] if sum(named) == 1 else None

    def canonicalise(self, answers: pa.Table) -> pa.Table:
        """Unchanged: every value is in its one form already."""
        return answers

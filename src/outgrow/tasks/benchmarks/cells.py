"""A row of a benchmark's file, and its cells checked one by one: a fault names file, line and column."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase
from typing import Any

from outgrow.core.errors import DataError
from outgrow.tasks.questions import Question
from outgrow.tasks.splits import normalise_text


@dataclass(frozen=True)
class Row:
    """Cells by column, of one row.

    Attributes:
        cells: what the file holds; text where it is CSV.
        file: key of the file among the set's own splits.
        where: file and line.
    """

    cells: Mapping[str, Any]
    file: str
    where: str

    def fault(self, column: str, problem: str) -> DataError:
        """The error for a cell."""
        return DataError(f"{self.where}, column '{column}': {problem}")

    def text(self, column: str, *, empty: bool = False) -> str:
        """A text, stripped; an empty one only where `empty` allows it."""
        value = self.cells.get(column)
        if value is None and empty:
            return ""
        if not isinstance(value, str):
            raise self.fault(column, f"must be text, found {value!r}")
        if not value.strip() and not empty:
            raise self.fault(column, "the text is empty")
        return value.strip()

    def texts(self, column: str) -> tuple[str, ...]:
        """A list of texts; in CSV it stands as JSON."""
        value = self.decoded(column)
        if not isinstance(value, list) or not all(isinstance(part, str) and part.strip() for part in value):
            raise self.fault(column, f"must be a list of texts, found {value!r}")
        return tuple(part.strip() for part in value)

    def decoded(self, column: str) -> Any:
        """A cell that CSV holds as JSON."""
        value = self.cells.get(column)
        if isinstance(value, str):
            try:
                return json.loads(value)
            except ValueError:
                raise self.fault(column, f"must be JSON, found {value!r}") from None
        return value

    def index(self, column: str, n: int) -> int:
        """A whole number from 0 to n - 1, as a number or as text."""
        value = self.cells.get(column)
        text = str(int(value)) if isinstance(value, bool) else str(value).strip().removesuffix(".0")
        if not text.isdecimal() or int(text) >= n:
            raise self.fault(column, f"the label must be 0 to {n - 1}, found {value!r}")
        return int(text)

    def letter(self, column: str, n: int) -> int:
        """An index, given as such or as a letter from A."""
        value = self.cells.get(column)
        if isinstance(value, str) and value.strip().upper() in ascii_uppercase[:n] and value.strip():
            return ascii_uppercase.index(value.strip().upper())
        if isinstance(value, str) and value.strip().isalpha():
            raise self.fault(column, f"the label must be A to {ascii_uppercase[n - 1]}, found {value!r}")
        return self.index(column, n)

    def flag(self, column: str) -> bool:
        """True or false, as such, as 0 and 1, or as text."""
        value = self.cells.get(column)
        known = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
        if str(value).strip().lower() not in known:
            raise self.fault(column, f"must be true or false, found {value!r}")
        return known[str(value).strip().lower()]

    def labelled_choices(self, column: str, label: str) -> tuple[tuple[str, ...], int]:
        """Options as `{text: [...], label: [...]}` (the hub) or `[{text, label}, ...]`, and the place of `label`."""
        value = self.decoded(column)
        if isinstance(value, list) and all(isinstance(part, dict) for part in value):
            value = {key: [part.get(key) for part in value] for key in ("text", "label")}
        if not isinstance(value, dict) or not {"text", "label"} <= value.keys():
            raise self.fault(column, f"must have the parts 'text' and 'label', found {value!r}")
        texts, names = [str(t).strip() for t in value["text"]], [str(name).strip() for name in value["label"]]
        if len(texts) != len(names) or label not in names:
            raise self.fault(column, f"the labels {names} do not fit {len(texts)} options and the answer {label!r}")
        return tuple(texts), names.index(label)

    def choice(
        self, text: str, choices: Sequence[str], right: int, *, group: str | None = None, stratum: str | None = None,
        fields: Mapping[str, str] | None = None,
    ) -> Question:  # fmt: skip
        """A question with options of its own; options that are equal in all but case or space become one."""
        forms = [normalise_text(option) for option in choices]
        kept = [i for i, form in enumerate(forms) if forms.index(form) == i]
        if len(kept) < 2:
            raise DataError(f"{self.where}: a question needs two different options, this one has {list(choices)}")
        gold = choices[forms.index(forms[right])]
        return Question(
            text, tuple(choices[i] for i in kept), gold, group, stratum, self.file, self.where, fields=fields or {}
        )

    def classified(
        self, text: str, gold: str, *, form: str = "", group: str | None = None, stratum: str | None = None,
        fields: Mapping[str, str] | None = None, solution: str | None = None,
    ) -> Question:  # fmt: skip
        """A question whose answers are classes, or free text."""
        return Question(text, None, gold, group, stratum, self.file, self.where, form, fields or {}, solution)

"""Files of other tools that hold answers, but not one answer per row: each form is recognised by what it holds."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from outgrow.core.errors import DataError
from outgrow.io.cells import CellError, from_cells
from outgrow.io.forms import alpaca_eval, argilla, inspect_log, label_studio, lm_eval
from outgrow.io.reading import Loaded
from outgrow.io.text import first_row, is_array, whole_json

Answer = dict[str, Any]
Read = Callable[[Path, str | None], Iterator[tuple[int, Answer]]]


@dataclass(frozen=True)
class Form:
    """A form of file.

    Attributes:
        name: of the tool and its file.
        matches: whether a file is of this form, by its path and its first object.
        answers: number of the row, line or item, and the answer with the columns of `ANSWERS` that it has; the text
            chooses what to take for the value, where the file holds several things.
        unit: what the number counts.
        task: what a file is about, where the form tells it: ids of different tasks are different questions.
    """

    name: str
    matches: Callable[[Path, Mapping[str, Any]], bool]
    answers: Read
    unit: str = "item"
    task: Callable[[Path], str] = lambda path: ""


FORMS = (
    Form("lm-evaluation-harness samples", lm_eval.matches, lm_eval.answers, "line", lm_eval.task),
    Form("inspect log", inspect_log.matches, inspect_log.answers, "sample", inspect_log.task),
    Form("AlpacaEval annotations", alpaca_eval.matches, alpaca_eval.answers),
    Form("Argilla records", argilla.matches, argilla.answers),
    Form("Label Studio tasks", label_studio.matches, label_studio.answers),
)


def find_form(path: Path) -> Form | None:
    """The form that a file has, if it is one of `FORMS`."""
    if path.suffix.lower() not in (".json", ".jsonl", ".eval") or not path.is_file():
        return None
    first: Mapping[str, Any] = {}
    if path.suffix.lower() != ".eval":
        first = first_row(path)
        if not first and path.suffix.lower() == ".json" and not is_array(path):
            whole = whole_json(path)
            first = whole if isinstance(whole, dict) else {}
    return next((form for form in FORMS if form.matches(path, first)), None)


def load_form(path: Path, form: Form, schema: pa.Schema, chosen: str | None) -> Loaded:
    """The answers of a file of some form, in `schema`.

    Args:
        path: the file.
        form: of it.
        schema: columns and types.
        chosen: what to take for the value, where the file holds several things.

    Raises:
        DataError: the file holds no answer, or one that does not fit, with where it stands.
    """
    numbers, rows = [], []
    for number, answer in form.answers(path, chosen):
        numbers.append(number)
        rows.append(answer)
    if not rows:
        raise DataError(f"{path}: a file of {form.name} without an answer")
    columns = []
    for each in schema:
        try:
            columns.append(from_cells([row.get(each.name) for row in rows], each.type, text=False))
        except CellError as error:
            where = f"{path}, {form.unit} {numbers[error.row]}"
            raise DataError(f"{where}, column '{each.name}': {error.problem}") from None
    metadata = {"form": form.name, "ignored_columns": json.dumps([])}
    return Loaded(path, pa.table(columns, schema=schema.with_metadata(metadata)), numbers.__getitem__, form.unit)

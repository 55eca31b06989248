"""The questions of a table task, read from files and checked."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from string import ascii_uppercase

import pyarrow as pa

from outgrow.core.errors import DataError
from outgrow.io.reading import load
from outgrow.tasks.parsing import normalise_answer, read_number
from outgrow.tasks.questions import UNLABELLED, Question
from outgrow.tasks.splits import normalise_text
from outgrow.tasks.table_config import TableConfig


def read_questions(config: TableConfig, data_dir: Path) -> list[Question]:
    """All rows of all files.

    Raises:
        DataError: a file is missing or malformed, a column is missing, a text or a label is empty, or the options
            of a question lack its gold answer; the message names file and line.
    """
    found = [q for key, name in config.paths().items() for q in _read_file(config, key, data_dir / name)]
    first: dict[str, Question] = {}
    for question in found if config.id is not None else ():
        other = first.setdefault(str(question.id), question)
        if other is not question:
            raise DataError(
                f"{question.where}, column '{config.id}': the id {question.id!r} stands at {other.where} already; "
                "every question needs its own"
            )
    return found


def _read_file(config: TableConfig, key: str, path: Path) -> Iterable[Question]:
    texts, choices = config.text_columns(), config.choice_columns()
    extra = [name for name in (config.label, config.group, config.stratum, config.id) if name is not None]
    fields = {name: pa.string() for name in (*texts, *choices, *extra)}
    if isinstance(config.choices, str):
        fields[config.choices] = pa.list_(pa.string())
    schema = pa.schema([pa.field(name, kind) for name, kind in fields.items()])
    loaded = load(path, schema, required=list(fields), name="task")
    for number, row in enumerate(loaded.table.to_pylist()):
        where = loaded.where(number)
        text = "\n".join(_filled(row[name], where, name, "question") for name in texts)
        options = _options(config, row, where)
        gold = UNLABELLED
        if config.label is not None:
            gold = _gold(config, _filled(row[config.label], where, config.label, "gold label"), options, where)
        own_id = _filled(row[config.id], where, config.id, "id") if config.id is not None else None
        group = row[config.group] if config.group else None
        stratum = row[config.stratum] if config.stratum else None
        yield Question(text, options, gold, group, stratum, key, where, id=own_id)


def _filled(value: str | None, where: str, column: str, what: str) -> str:
    if value is None or not value.strip():
        raise DataError(f"{where}, column '{column}': the {what} is empty; fill it in or leave the row out")
    return value.strip()


def _options(config: TableConfig, row: dict[str, object], where: str) -> tuple[str, ...] | None:
    if config.choices is None:
        return None
    if isinstance(config.choices, str):
        found = row[config.choices]
        given: Sequence[object] = found if isinstance(found, list) else []
    else:
        given = [row[name] for name in config.choices if row[name] is not None]  # a question may have fewer options
    options = tuple(str(option).strip() for option in given if option is not None)
    if len(options) < 2 or not all(options):
        raise DataError(f"{where}: a question needs two or more options, this one has {list(options)}")
    if len({normalise_text(option) for option in options}) < len(options):
        raise DataError(f"{where}: two options are the same: {list(options)}")
    return options


def _gold(config: TableConfig, label: str, options: tuple[str, ...] | None, where: str) -> str:
    if config.answer != "options":
        read = read_number(label) if config.answer == "number" else normalise_answer(label)
        if read is None:
            raise DataError(f"{where}, column '{config.label}': the gold {label!r} cannot be read as a {config.answer}")
        return read
    if options is None:
        if config.classes is not None and label not in config.classes:
            raise DataError(f"{where}: the gold label {label!r} is none of the classes {list(config.classes)}")
        return label
    if config.label_as == "value":
        if label not in options:
            raise DataError(
                f"{where}: the choices {list(options)} lack the gold {label!r}; "
                "if the label is an index or a letter, set label_as: index or label_as: letter"
            )
        return label
    names = [str(i) for i in range(len(options))] if config.label_as == "index" else ascii_uppercase[: len(options)]
    said = label.upper()
    if said not in names:
        raise DataError(
            f"{where}: the gold {config.label_as} {label!r} points at none of the {len(options)} choices "
            f"({names[0]} to {names[-1]})"
        )
    return options[names.index(said)]

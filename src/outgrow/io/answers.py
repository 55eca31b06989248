"""An answers table as users have it: two columns are enough, and several annotators may be taken for one crowd."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.arrays import Float, Int
from outgrow.core.encoding import encode
from outgrow.core.errors import DataError
from outgrow.core.tables import ANSWERS, with_column
from outgrow.io.columns import ANSWER_COLUMNS, QUESTIONS, plain, recognise
from outgrow.io.forms import FORMS, find_form, load_form
from outgrow.io.reading import Loaded, load, load_arrow

DEFAULT_SOURCE = "supervisor"
KEY = ("example_id", "source", "variant", "sample")
GIVEN = pa.schema([pa.field(f.name, f.type, nullable=f.name != "example_id") for f in ANSWERS])


def read_answers(
    path: Path | str,
    *,
    columns: Mapping[str, str] | None = None,
    only: Sequence[str] | None = None,
    numbered: bool = True,
    text: Sequence[str] = (),
) -> pa.Table:
    """Answers from JSON, CSV, Excel or Parquet (see `read_table`), in `outgrow.core.tables.ANSWERS`.

    `example_id` and `value` must be there, and may be called otherwise: columns are found in any case and by what other
    tools call them, such as task, worker and label (`outgrow.io.columns`). Where the question itself is the id, it is
    the prompt, too. Files of some other tools are read as they are (`outgrow.io.forms`), and a folder stands for all of
    them below it. A null or blank `value` is an answer that could not be parsed. Without `source` all answers come
    from "supervisor"; without `variant` all are variant 0; without `sample` the rows of one question, source and
    variant are numbered in file order. A column is given for every row or for none.

    Args:
        path: the file.
        columns: of ours the file's, such as `{"value": "team"}`; these are not looked for.
        only: optional columns to load, besides the key and the value; default all.
        numbered: False leaves a missing `sample` at 0 instead of numbering it: faster, where it is not needed.
        text: the file's columns that make up a question, where it has no ids: `example_id` is then what they hold, one
            line each.

    Returns:
        Answers in file order. The metadata hold `ignored_columns`, a JSON array of columns that were not used, and
        `taken_columns`, a JSON object of ours to those of the file that are called otherwise, and `numbered` if the
        file numbers neither wordings nor samples.

    Raises:
        DataError: as `read_table`, or: the same key twice (both lines are named), no valid answer at all,
            a negative `variant` or `sample`, a `logprob` above 0, or an option probability outside 0 to 1.
    """
    path = Path(path)
    if text:
        return _checked(_load_by_text(path, text, columns), numbered=numbered)
    if path.is_dir():
        return _read_folder(path, columns)
    if (form := find_form(path)) is not None:
        return _checked(load_form(path, form, GIVEN, (columns or {}).get("value")), numbered=numbered)
    wanted = set(GIVEN.names) if only is None else {*KEY, "value", *only}
    schema = pa.schema([f for f in GIVEN if f.name in wanted])
    loaded = load(
        path, schema, required=("example_id", "value"), name="answers", synonyms=ANSWER_COLUMNS, columns=columns
    )
    return _checked(loaded, numbered=numbered)


def _load_by_text(path: Path, text: Sequence[str], columns: Mapping[str, str] | None) -> Loaded:
    """Answers of which the text of the question is the id, and no other column."""
    schema = pa.schema([f for f in GIVEN if f.name not in ("example_id", "prompt", *text)])
    loaded = load(path, schema, required=("value",), name="answers", synonyms=ANSWER_COLUMNS, columns=columns)
    questions = pa.schema([pa.field(name, pa.string(), nullable=False) for name in text])
    parts = load(path, questions, required=text, name="answers")
    ids = pc.binary_join_element_wise(*parts.table.columns, "\n")
    prompts = pa.nulls(len(ids), pa.string())
    return replace(loaded, table=loaded.table.append_column("example_id", ids).append_column("prompt", prompts))


def _read_folder(path: Path, columns: Mapping[str, str] | None) -> pa.Table:
    """The answers of all logs of other tools below a folder."""
    forms = [(file, form) for file in sorted(path.rglob("*")) if (form := find_form(file)) is not None]
    if not forms:
        raise DataError(f"{path}: no file below this folder is a log of {', '.join(form.name for form in FORMS)}")
    chosen = (columns or {}).get("value")
    tasks = [form.task(file) for file, form in forms]
    names = ", ".join(dict.fromkeys(form.name for _, form in forms))
    metadata = {"ignored_columns": "[]", "form": f"{len(forms)} files of {names}"}
    tables = []
    for (file, form), task in zip(forms, tasks, strict=True):
        table = _checked(load_form(file, form, GIVEN, chosen), numbered=True).replace_schema_metadata(metadata)
        if len(set(tasks)) > 1:
            ids = pc.binary_join_element_wise(pa.scalar(task), table["example_id"], "/")
            table = with_column(table, "example_id", ids)
        tables.append(table)
    answers = pa.concat_tables(tables)  # a model may have several logs of one task
    keys = _codes({name: answers[name] for name in KEY})
    return with_column(answers, "sample", pa.chunked_array([pa.array(numbers_within(keys))]))


def as_answers(table: Any) -> pa.Table:
    """Answers from a table in memory, read and checked as `read_answers` does with a file.

    Args:
        table: an Arrow table, or a data frame of a library that speaks Arrow (pandas, polars).

    Raises:
        DataError: as `read_answers`; rows are counted from 1.

    Examples:
        >>> import pyarrow as pa
        >>> crowd = pa.table({"task": ["q", "q"], "worker": ["ann", "bob"], "label": ["x", "y"]})
        >>> as_answers(crowd)["source"].to_pylist()
        ['ann', 'bob']
    """
    given = pa.table(table)
    ours = {other: name for name, other in recognise(given.column_names, GIVEN.names, ANSWER_COLUMNS).items()}
    given = given.rename_columns([ours.get(name, name) for name in given.column_names])
    return _checked(load_arrow(given, GIVEN, required=("example_id", "value"), name="answers"), numbered=True)


def read_scores(path: Path | str, answers: pa.Table) -> Float[np.ndarray, "answers"]:
    """Scores of answers, higher for better, from JSON Lines, CSV or Parquet: the answers' key and `score`.

    Args:
        path: `example_id`, `score`, and `source`, `variant` and `sample` as the file of the answers has them; it may be
            that very file.
        answers: answers table (`outgrow.core.tables.ANSWERS`).

    Returns:
        One score per answer, NaN where there is none.

    Raises:
        DataError: as `read_table`, the same key twice, or no score belongs to an answer.
    """
    key = [GIVEN.field(name) for name in KEY]
    loaded = load(path, pa.schema([*key, ("score", pa.float64())]), required=("example_id", "score"), name="scores")
    found = _key(loaded, numbered=True)
    scores = dict(zip(_tuples(found), loaded.table.column("score").to_pylist(), strict=True))
    wanted = [scores.get(each) for each in _tuples({name: answers.column(name) for name in KEY})]
    if all(score is None for score in wanted):
        theirs, ours = next(iter(scores)), tuple(answers.column(name)[0].as_py() for name in KEY)
        raise DataError(
            f"{path}: no score belongs to an answer; the scores' keys ({', '.join(KEY)}) are like {theirs}, "
            f"the answers' like {ours}"
        )
    return np.array([np.nan if score is None else score for score in wanted])


def _tuples(columns: dict[str, pa.ChunkedArray]) -> Iterator[tuple[Any, ...]]:
    return zip(*(columns[name].to_pylist() for name in KEY), strict=True)


def as_one_source(answers: pa.Table, name: str) -> pa.Table:
    """The answers of all sources as samples of one, numbered per question in row order.

    The members of the crowd are then interchangeable: vote shares say how many of them agree, and nobody counts for
    more than another. What a single member is worth has to be estimated from the sources apart.

    Args:
        answers: answers table (`outgrow.core.tables.ANSWERS`) of any number of sources.
        name: of the crowd.

    Returns:
        Answers in the same order, variant 0 throughout.

    Examples:
        >>> import pyarrow as pa
        >>> answers = as_answers(pa.table({"example_id": ["q", "q"], "source": ["ann", "bob"], "value": ["x", "y"]}))
        >>> as_one_source(answers, "crowd").select(["source", "sample"]).to_pylist()
        [{'source': 'crowd', 'sample': 0}, {'source': 'crowd', 'sample': 1}]
    """
    columns = {field.name: answers.column(field.name) for field in ANSWERS}
    columns["source"] = pa.array([name] * answers.num_rows, pa.string())
    columns["variant"] = pa.array(np.zeros(answers.num_rows, np.int64))
    columns["sample"] = pa.array(numbers_within(encode(answers.column("example_id")).codes))
    return pa.table([columns[field.name] for field in ANSWERS], schema=ANSWERS.with_metadata(answers.schema.metadata))


def _checked(loaded: Loaded, *, numbered: bool) -> pa.Table:
    table = loaded.table
    found = {name: table.column(name) for name in table.column_names}
    found["value"] = _parsed(table.column("value"))
    if found["value"].null_count == table.num_rows:
        raise DataError(
            f"{loaded.path}: none of the {table.num_rows} answers has a value; "
            "check how the answers were parsed (null means: could not be parsed)"
        )
    _check_numbers(loaded)
    found |= _key(loaded, numbered=numbered)
    arrays = [found[f.name] if f.name in found else pa.nulls(table.num_rows, f.type) for f in ANSWERS]
    given = table.schema.metadata or {}
    taken = json.loads(given.get(b"taken_columns", b"{}"))
    if plain(taken.get("example_id", "")) in QUESTIONS:
        arrays[ANSWERS.get_field_index("prompt")] = found["example_id"]
    ignored = json.loads(given.get(b"ignored_columns", b"[]"))
    unknown = json.dumps([name for name in ignored if name not in GIVEN.names])  # the others were not asked for
    metadata = {"ignored_columns": unknown, "taken_columns": json.dumps(taken)}
    if b"form" in given:
        metadata["form"] = given[b"form"].decode()
    if not any(column.null_count < table.num_rows for column in (table.column("sample"), table.column("variant"))):
        metadata["numbered"] = "true"  # by us
    return pa.table(arrays, schema=ANSWERS.with_metadata(metadata))


def _key(loaded: Loaded, *, numbered: bool) -> dict[str, pa.ChunkedArray]:
    """The columns of `KEY`, with defaults where the file has none."""
    found = {"example_id": loaded.table.column("example_id")}
    found["source"] = complete(loaded, "source", pa.scalar(DEFAULT_SOURCE))
    found["variant"] = complete(loaded, "variant", pa.scalar(0, pa.int64()))
    if loaded.table.column("sample").null_count < loaded.table.num_rows:
        found["sample"] = complete(loaded, "sample", pa.scalar(0, pa.int64()))
        _refuse_twice(loaded, _codes(found), found)
    else:
        numbers = numbers_within(_codes(found)) if numbered else np.zeros(loaded.table.num_rows, np.int64)
        found["sample"] = pa.chunked_array([pa.array(numbers)])
    return found


def _parsed(values: pa.ChunkedArray) -> pa.ChunkedArray:
    blank = pc.or_(pc.equal(values, ""), pc.utf8_is_space(values)).fill_null(False)
    return pc.if_else(blank, pa.scalar(None, pa.string()), values) if pc.any(blank).as_py() else values


def complete(loaded: Loaded, name: str, default: pa.Scalar) -> pa.ChunkedArray:
    """A column, or the default where the file has none; refused where some rows alone have it."""
    column = loaded.table.column(name)
    if column.null_count == len(column):
        return pa.chunked_array([pa.repeat(default, len(column))])
    if column.null_count:
        row = pc.index(column.is_null(), True).as_py()
        raise DataError(f"{loaded.where(row)}: '{name}' is empty, but other rows have one; fill it in for all or none")
    return column


RULES = (
    ("variant", pc.less, 0, "at least 0"),
    ("sample", pc.less, 0, "at least 0"),
    ("logprob", pc.greater, 1e-6, "a natural-log probability, so at most 0"),
)


def _check_numbers(loaded: Loaded) -> None:
    for name, breaks, limit, rule in RULES:
        if name in loaded.table.column_names and loaded.table.column(name).null_count < loaded.table.num_rows:
            row = pc.index(breaks(loaded.table.column(name), limit), True).as_py()
            if row >= 0:
                value = loaded.table.column(name)[row].as_py()
                raise DataError(f"{loaded.where(row)}, column '{name}': {value} is not allowed; it must be {rule}")
    if "probabilities" not in loaded.table.column_names:
        return
    done = 0
    for chunk in loaded.table.column("probabilities").chunks:
        offsets, items = chunk.offsets.to_numpy(), chunk.items.to_numpy(zero_copy_only=False)
        wrong = np.flatnonzero(~((items >= 0) & (items <= 1 + 1e-6)))
        wrong = wrong[(wrong >= offsets[0]) & (wrong < offsets[-1])]
        if len(wrong):
            row = done + int(np.searchsorted(offsets, wrong[0], side="right")) - 1
            raise DataError(
                f"{loaded.where(row)}, column 'probabilities': {items[wrong[0]]} is not allowed; "
                "option probabilities lie between 0 and 1"
            )
        done += len(chunk)


def _codes(columns: dict[str, pa.ChunkedArray]) -> Int[np.ndarray, "rows"]:
    """One number per (example_id, source, variant)."""
    codes = encode(columns["example_id"]).codes
    source = encode(columns["source"])
    if len(source.names) > 1:
        codes = codes * len(source.names) + source.codes
    return joined(codes, np.asarray(columns["variant"].to_numpy()))


def joined(codes: Int[np.ndarray, "rows"], more: Int[np.ndarray, "rows"]) -> Int[np.ndarray, "rows"]:
    """One number for each pair of codes of at least 0."""
    width = int(more.max()) + 1
    if width == 1:
        return codes
    if int(codes.max()) >= (2**62) // width:
        _, codes = np.unique(codes, return_inverse=True)
        _, more = np.unique(more, return_inverse=True)
        width = int(more.max()) + 1
    return np.asarray(codes * width + more)


def numbers_within(keys: Int[np.ndarray, "rows"]) -> Int[np.ndarray, "rows"]:
    """0, 1, 2, ... within equal keys, in row order."""
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    first = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    start = np.maximum.accumulate(np.where(first, np.arange(len(keys)), 0))
    numbers = np.empty(len(keys), np.int64)
    numbers[order] = np.arange(len(keys)) - start
    return numbers


def _refuse_twice(loaded: Loaded, keys: Int[np.ndarray, "rows"], columns: dict[str, pa.ChunkedArray]) -> None:
    keys = joined(keys, np.asarray(columns["sample"].to_numpy()))
    if (keys[1:] > keys[:-1]).all():
        return
    order = np.argsort(keys, kind="stable")
    ordered = keys[order]
    again = np.flatnonzero(ordered[1:] == ordered[:-1])
    if len(again) == 0:
        return
    second = again[np.argmin(order[again + 1])]
    rows = int(order[second]), int(order[second + 1])
    key = ", ".join(f"{name} {columns[name][rows[0]].as_py()!r}" for name in KEY)
    raise DataError(
        f"{loaded.path}, {loaded.line(rows[0])} and {loaded.line(rows[1])}: the same answer key twice ({key}); "
        "number the samples, or leave out 'sample' to have them numbered in file order"
    )

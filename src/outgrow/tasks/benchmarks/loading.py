"""The rows of a set's own splits, from the hub or from files, with their columns and numbers checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from outgrow.core.errors import DataError, PrerequisiteError
from outgrow.tasks.benchmarks.cells import Row
from outgrow.tasks.benchmarks.config import BenchmarkConfig
from outgrow.tasks.benchmarks.finding import find_files, named_files
from outgrow.tasks.benchmarks.reading import Numbered, read_rows
from outgrow.tasks.benchmarks.spec import Benchmark, Hub
from outgrow.tasks.questions import Question


@dataclass(frozen=True)
class Loaded:
    """Questions of all files, the splits they came from, and what differed from what was expected."""

    questions: list[Question]
    present: tuple[str, ...]
    notes: tuple[str, ...]


def load_questions(config: BenchmarkConfig, data_dir: Path) -> Loaded:
    """The questions of every split of the set that the configuration uses.

    Raises:
        DataError: a file is missing or malformed, lacks a column or has no row, or a cell is wrong.
        PrerequisiteError: the set has to be downloaded and `datasets` is missing or the hub cannot be reached.
    """
    benchmark = config.benchmark()
    limit = config.limit or benchmark.limit
    if config.from_hub:
        assert benchmark.hub is not None
        present = tuple(dict.fromkeys(f for f, _ in config.dealt(tuple(benchmark.files)).values() if f is not None))
        hub = Hub(benchmark.hub.id, benchmark.hub.configs, config.revision)
        rows = {split: _from_hub(hub, benchmark, split, limit) for split in present}
    else:
        folder = data_dir / (config.path or "")
        found = named_files(config.files, folder) if config.files else find_files(benchmark, folder)
        present = tuple(found)
        needed = {f for f, _ in config.dealt(present).values()} if present else {"train"}
        if missing := sorted(str(f) for f in needed if f not in found):
            raise DataError(
                f"{folder}: no file for the split '{missing[0]}' of {benchmark.name} "
                f"(found: {', '.join(present) or 'none'}); name it with files, or leave the split out of splits"
            )
        present = tuple(split for split in present if split in needed)
        rows = {split: _from_files(benchmark, split, found[split], limit) for split in present}
    notes = [note for split in present for note in _count_notes(benchmark, split, len(rows[split]), limit)]
    if (
        config.splits is None
        and len(present) == 1
        and any(file not in present for file, _ in benchmark.splits.values())
    ):
        notes.append(f"only '{present[0]}' was found; all splits are taken from it")
    return Loaded([benchmark.read(row) for split in present for row in rows[split]], present, tuple(notes))


def _from_files(benchmark: Benchmark, split: str, files: Sequence[Path], limit: int | None) -> list[Row]:
    rows: list[Row] = []
    for path in files:
        headers = benchmark.headers if path.suffix.lower() == ".csv" else None
        own = read_rows(path, headers, limit)
        if headers is not None:  # what the columns lack may stand in the file's name
            own = [(place, {**cells, "file_name": path.stem}) for place, cells in own]
        if not own:
            raise DataError(f"{path}: no rows; the split '{split}' of {benchmark.name} needs some")
        rows += _checked(benchmark, split, str(path), own)
    return rows[:limit]


def _checked(benchmark: Benchmark, split: str, where: str, rows: Sequence[Numbered]) -> list[Row]:
    for place, cells in rows:
        if missing := [name for name in benchmark.columns if name not in cells]:
            raise DataError(
                f"{where}, {place}: {benchmark.name} needs the columns {list(benchmark.columns)}; missing {missing}, "
                f"found {list(cells)}"
            )
    return [Row(cells, split, f"{where}, {place}") for place, cells in rows]


def _count_notes(benchmark: Benchmark, split: str, found: int, limit: int | None) -> list[str]:
    expected = benchmark.files[split].rows
    if expected is None or found == min(expected, limit or expected):
        return []
    return [f"split '{split}' of {benchmark.name} has {found:,} rows, expected were {expected:,}"]


def _from_hub(hub: Hub, benchmark: Benchmark, split: str, limit: int | None) -> list[Row]:
    try:
        import datasets
    except ImportError:
        raise PrerequisiteError(
            f'{hub.id} is read with the library datasets: pip install "outgrow[hub]"; '
            "or give path, a folder with the set's files"
        ) from None
    rows: list[Row] = []
    for config in hub.configs:
        where = "/".join(filter(None, [hub.id, config, split]))
        part = split if limit is None else f"{split}[:{limit}]"
        try:
            table: Any = datasets.load_dataset(hub.id, config, split=part, revision=hub.revision)
        except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
            said = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise PrerequisiteError(
                f"{where} (revision {hub.revision or 'newest'}) cannot be read from the hub: "
                f"{said[:200]}; get the set's files and give path, their folder"
            ) from None
        rows += _checked(benchmark, split, where, [(f"row {n}", cells) for n, cells in enumerate(table, 1)])
    if not rows:
        raise DataError(f"{hub.id}: no rows in the split '{split}'")
    return rows[:limit]

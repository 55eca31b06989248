"""Answers without an experiment: a supervisor, or all of them, are asked the questions of one split."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from outgrow.core.errors import ConfigError, DataError
from outgrow.core.events import Event
from outgrow.core.names import unknown
from outgrow.core.progress import Progress
from outgrow.recipe.recipe import Labelling, load_labelling, parse_labelling


@dataclass(frozen=True)
class Labelled:
    """What a supervisor, or several, answered.

    Attributes:
        supervisor: its name; of several the names, with " + " between.
        answers: answers (`outgrow.core.tables.ANSWERS`); reliability and curation go on from here.
        usage: what servers charged for the answers (and paraphrases), one entry per asking; empty without servers.
    """

    supervisor: str
    answers: pa.Table
    usage: tuple[Mapping[str, Any], ...] = ()


def files_of(recipe: Labelling) -> list[Path]:
    """The files that a recipe names: its task's and its supervisors'; a folder of a set is not looked into."""
    from outgrow.supervisors.config import FileSupervisor
    from outgrow.tasks.benchmarks import BenchmarkConfig
    from outgrow.tasks.table_config import TableConfig

    names = [own.path for own in recipe.supervisors if isinstance(own, FileSupervisor)]
    if isinstance(recipe.task, TableConfig):
        names += recipe.task.paths().values()
    found = [folder / name for folder in recipe.folders for name in names]
    if isinstance(recipe.task, BenchmarkConfig):
        folder = Path(recipe.data_dir, recipe.task.path or "")
        found += [folder / name for name in (recipe.task.files or {}).values()]
    return found


def label(
    recipe: Labelling | Mapping[str, Any] | str | Path | None = None,
    *,
    split: str = "pool",
    seed: int = 0,
    supervisor: str | None = None,
    everybody: bool = False,
    store: str | Path = "outgrow-store",
    overrides: tuple[str, ...] = (),
) -> Labelled:
    """Ask a supervisor every question of a split in the recipe's wordings, as an experiment would.

    Args:
        recipe: a recipe, a file of one, or plain values (`task`, `supervisors` and `ask` are enough); the demo's by
            default.
        split: which questions.
        seed: of the supervisor's tuning, demonstrations and draws.
        supervisor: its name in the recipe; the first one by default.
        everybody: ask all supervisors; their answers stand below each other, each under its own name.
        store: folder or URL where answers are kept as they arrive; what is there is not asked again.
        overrides: `key.sub=value` each, for a recipe read from a file.

    Raises:
        ConfigError: the recipe, the split or the supervisor's name is wrong.
        DataError: a file is wrong, or the supervisor answered none of the questions.
        PrerequisiteError: an extra is not installed, or a server cannot be reached.
    """
    from outgrow.experiment.step_runner import StepRunner
    from outgrow.store import Store
    from outgrow.supervisors.config import LocalSupervisor

    if isinstance(recipe, Mapping):
        recipe = parse_labelling(recipe)
    elif not isinstance(recipe, Labelling):
        recipe = load_labelling(recipe, overrides)
    names = [own.name for own in recipe.supervisors]
    if supervisor is not None and supervisor not in names:
        raise ConfigError(unknown("supervisor", supervisor, names))
    if supervisor is not None and everybody:
        raise ConfigError(f"supervisor {supervisor!r} and everybody exclude each other; leave one out")
    asked = range(len(names)) if everybody else [0 if supervisor is None else names.index(supervisor)]
    writer = recipe.supervisors[0] if recipe.ask.paraphraser == "supervisor" else recipe.ask.paraphraser
    here = [*(recipe.supervisors[index] for index in asked), *([writer] if "paraphrase" in recipe.ask.kinds else [])]
    if any(isinstance(each, LocalSupervisor) for each in here):
        from outgrow.models.machine import threads

        threads(recipe.threads)
    with Progress() as progress:

        def report(what: str, done: int, total: int) -> None:
            progress(Event(what, what, done, total, closed=done >= total))

        runner = StepRunner(recipe, Store(store, unsealed=True), report)
        if split not in runner.plain_task.splits:
            raise ConfigError(unknown("split", split, runner.plain_task.splits))
        runner.reword()
        tables = []
        for index in asked:
            source = runner.tune_supervisor(index, seed)
            tables.append(runner.answer(source, split, seed=seed, full=True, shown=True))
            if tables[-1].num_rows == 0:
                raise DataError(f"supervisor '{source.name}' has no answer to any question of split '{split}'")
    return Labelled(" + ".join(names[index] for index in asked), pa.concat_tables(tables), tuple(runner.usage.values()))

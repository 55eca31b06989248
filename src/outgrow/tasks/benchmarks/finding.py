"""Which files of a folder hold which split of a set: by the words in their names."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from outgrow.core.errors import DataError
from outgrow.tasks.benchmarks.reading import FORMATS
from outgrow.tasks.benchmarks.spec import Benchmark

OTHERS = frozenset(("hard", "socratic", "additional", "infos"))
"""Words that mark further files of a release which are not the split itself."""


def named_files(files: Mapping[str, str], folder: Path) -> dict[str, list[Path]]:
    """The files a recipe names.

    Raises:
        DataError: one does not exist.
    """
    found = {split: [folder / name] for split, name in files.items()}
    for split, (path,) in found.items():
        if not path.is_file():
            there = sorted(p.name for p in path.parent.glob("*") if p.suffix in FORMATS)
            raise DataError(f"{path}: no such file (files.{split}); in its folder: {', '.join(there) or 'nothing'}")
    return found


def find_files(benchmark: Benchmark, folder: Path) -> dict[str, list[Path]]:
    """The files of each split that a folder has, by its name, a configuration's and the set's.

    Understood are the hub's layout (`main/train-00000-of-00001.parquet`, `data/...`, `main/train/0000.parquet`), that
    of the original releases (`train.jsonl`, `cm_train.csv`, `dev/anatomy_dev.csv`, `train/algebra/1.json`), and the
    set's name in front of the split's (`gsm8k_train.jsonl`).

    Raises:
        DataError: there is no such folder, or several different files fit one split.
    """
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder; give path, the folder with the files of {benchmark.name}")
    all_files = [p for p in sorted(folder.rglob("*")) if p.suffix.lower() in FORMATS and p.is_file()]
    all_files = _of_the_set(benchmark, all_files, folder)
    found = {}
    for split, own in benchmark.files.items():
        names = {split, *own.names}
        fitting = [p for p in all_files if names & _words(p, folder) and not OTHERS & _words(p, folder)]
        if fitting:
            found[split] = fitting
            if len({_shape(benchmark, p) for p in fitting}) > 1:
                listed = ", ".join(str(p.relative_to(folder)) for p in fitting[:5])
                raise DataError(
                    f"{folder}: several files fit the split '{split}' of {benchmark.name}: {listed}; "
                    f"say which it is, for instance files: {{{split}: {fitting[0].relative_to(folder)}}}"
                )
    return found


def _of_the_set(benchmark: Benchmark, files: Sequence[Path], folder: Path) -> list[Path]:
    """Those that name the set or its configuration, where some do."""
    kept = list(files)
    configs = {c.lower() for c in (benchmark.hub.configs if benchmark.hub else ()) if c is not None}
    inside = [p for p in kept if configs & {part.lower() for part in p.relative_to(folder).parts}]
    kept = inside or kept
    own = [p for p in kept if set(benchmark.keywords) & _words(p, folder)]
    return own or kept


def _words(path: Path, folder: Path) -> set[str]:
    return set(re.split(r"[^a-z0-9]+|(?<=[a-z])(?=[0-9]{3,})", str(path.relative_to(folder).with_suffix("")).lower()))


def _shape(benchmark: Benchmark, path: Path) -> str:
    """The same for files that together make one split: shards, and one file per subject or configuration."""
    if benchmark.headers is not None and path.suffix == ".csv":
        return path.suffix
    configs = benchmark.hub.configs if benchmark.hub else ()
    several = [re.escape(c) for c in configs if c is not None] if len(configs) > 1 else []
    return re.sub("|".join([*several, r"\d+"]), "", str(path))

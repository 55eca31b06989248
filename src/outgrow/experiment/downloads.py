"""What a run of a recipe would fetch from a hub: models and data sets, with their revisions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from outgrow.models.config import ModelRef
from outgrow.models.files import base_of, resolve
from outgrow.recipe.recipe import Recipe
from outgrow.tasks.benchmarks import BenchmarkConfig
from outgrow.tasks.benchmarks.made_up import UNKNOWN_ROWS, expected_rows


@dataclass(frozen=True)
class Download:
    """One thing to fetch.

    Attributes:
        kind: `model` or `data set`.
        name: on the hub.
        revision: branch, tag or commit; None for the newest.
        parts: of a data set: configuration and splits with their expected rows.
    """

    kind: str
    name: str
    revision: str | None
    parts: tuple[str, ...] = ()

    def __str__(self) -> str:
        what = f"{self.kind} {self.name}, revision {self.revision or 'not pinned (the newest)'}"
        return f"{what}: {'; '.join(self.parts)}" if self.parts else what


def downloads(recipe: Recipe) -> list[Download]:
    """Models by hub name and the task's data set, each once; whatever is in the local cache is not fetched again.

    Raises:
        ConfigError: a model is neither shipped, nor a folder, nor a hub name.
        PrerequisiteError: the extra that carries a model is missing.
    """
    return list(dict.fromkeys([*_models(recipe), *_data(recipe)]))


def _models(recipe: Recipe) -> Iterator[Download]:
    asked = [*recipe.supervisors, recipe.ask.paraphraser, recipe.student]
    for ref in (base_of(each) or each for each in asked if isinstance(each, ModelRef)):
        if not isinstance(resolve(ref.model), Path):
            yield Download("model", ref.model, ref.revision)


def _data(recipe: Recipe) -> Iterator[Download]:
    config = recipe.task
    if not isinstance(config, BenchmarkConfig) or not config.from_hub:
        return
    benchmark = config.benchmark()
    assert benchmark.hub is not None
    files = dict.fromkeys(f for f, _ in config.dealt(tuple(benchmark.files)).values() if f is not None)
    rows = {split: expected_rows(config, split) for split in files}
    splits = ", ".join(
        f"{split} ({n:,} rows expected)" if n else f"{split} (rows not known, {UNKNOWN_ROWS:,} assumed)"
        for split, n in rows.items()
    )
    names = ", ".join(c for c in benchmark.hub.configs if c is not None)
    yield Download(
        "data set", benchmark.hub.id, config.revision, (f"configuration {names or 'default'}", f"splits {splits}")
    )

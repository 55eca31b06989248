"""What is asked, how it is put into words, and when two answers are the same answer.

`load("table", path="commands.csv", text="sentence", label="intent")` gives a ready task; a recipe names its task by
`kind` and goes the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from outgrow.core.config_errors import report, validate
from outgrow.core.errors import ConfigError
from outgrow.core.names import resolve
from outgrow.core.registry import KindSpec, Registry
from outgrow.tasks.base import Task


@dataclass(frozen=True)
class TaskSpec(KindSpec):
    """A kind of task as YAML names it.

    Attributes:
        task: what makes the task, or `module:attr` of it; called with the config, and `data_dir` if it reads files.
        reads_files: whether the task reads the user's files.
    """

    task: str | Callable[..., Task]
    reads_files: bool = False

    def build(self, config: BaseModel, data_dir: Path) -> Task:
        """The task of `config`; relative file names are looked up in `data_dir`."""
        make = resolve(self.task)
        task: Task = make(config, data_dir=data_dir) if self.reads_files else make(config)
        return task


def _benchmark(kind: str, config: str, doc: str) -> TaskSpec:
    """A public set: `config` is `module:class` below `outgrow.tasks.benchmarks`."""
    where = "outgrow.tasks.benchmarks"
    return TaskSpec(kind, doc, f"{where}.{config}", f"{where}.base:BenchmarkTask", reads_files=True)


_OURS = (
    TaskSpec(
        kind="microworld",
        doc="a generated world of invented entities: choice, claim, sums and kind; needs no files",
        config="outgrow.tasks.microworld.task:MicroworldConfig",
        task="outgrow.tasks.microworld.task:MicroworldTask",
    ),
    TaskSpec(
        kind="microworld2",
        doc="a second one: judgements, chains, slots, conflicts, safety, toxicity; needs no files",
        config="outgrow.tasks.microworld2.task:Microworld2Config",
        task="outgrow.tasks.microworld2.task:Microworld2Task",
    ),
    TaskSpec(
        kind="table",
        doc="your own JSON Lines, CSV or Parquet: a column of texts, a column of labels",
        config="outgrow.tasks.table_config:TableConfig",
        task="outgrow.tasks.table:TableTask",
        reads_files=True,
    ),
    _benchmark("amazon_polarity", "amazon_polarity:AmazonPolarity", "product reviews: negative or positive"),
    _benchmark("arc", "arc:Arc", "school science questions, easy or challenge: three to five options"),
    _benchmark("boolq", "boolq:BoolQ", "yes-or-no questions about a passage"),
    _benchmark("cosmos_qa", "cosmos_qa:CosmosQA", "what is behind an everyday story: four options"),
    _benchmark("ethics", "ethics:Ethics", "moral judgement: commonsense, justice, deontology, virtue, utilitarianism"),
    _benchmark("gsm8k", "gsm8k:Gsm8k", "grade-school word problems, worked and answered by a number"),
    _benchmark("hellaswag", "hellaswag:HellaSwag", "which of four endings continues a description"),
    _benchmark("legalbench", "legalbench:LegalBench", "privacy policies: is a clause relevant to a question"),
    _benchmark("math", "math_set:Math", "competition problems, answered in LaTeX"),
    _benchmark("mmlu", "mmlu:Mmlu", "four-way questions of 57 subjects"),
    _benchmark("openbookqa", "openbookqa:OpenBookQA", "elementary science questions: four options"),
    _benchmark("piqa", "piqa:Piqa", "which of two ways reaches a practical goal"),
    _benchmark("preferences", "preferences:Preferences", "which of two responses is preferred; JSON Lines of your own"),
    _benchmark("sciq", "sciq:SciQ", "science examination questions: four options"),
    _benchmark("slurp", "slurp:Slurp", "spoken commands: scenario, intent, or slots as JSON"),
)

TASKS = Registry("task", TaskSpec, {entry.kind: entry for entry in _OURS})


def spec(kind: str) -> TaskSpec:
    """The entry of a kind.

    Raises:
        ConfigError: the kind is not known; the message has the nearest name and the list.
    """
    return TASKS.require(kind)


def build(config: Any, data_dir: Path) -> Task:
    """The task of a configuration, whose `kind` names its entry.

    Raises:
        ConfigError: the kind is not known.
        DataError: the task's files are missing or wrong.
    """
    from outgrow.tasks.variants import ForeignTask

    task = TASKS.require(config.kind).build(config, data_dir)
    identity = TASKS.entry(config.kind).identity()
    return ForeignTask(task, identity) if identity else task


def load(kind: str, *, data_dir: str | Path = ".", **options: Any) -> Task:
    """A task by name.

    Args:
        kind: one of `TASKS`.
        data_dir: where relative file names are looked up.
        **options: the kind's options, as a recipe would give them.

    Raises:
        ConfigError: unknown kind, or options that its model refuses (all of them in one message).
        DataError: the task's files are missing or wrong.
    """
    try:
        config = validate(spec(kind).config_model(), options)
    except ValidationError as error:
        raise ConfigError(report(error, f"task '{kind}'", options)) from None
    return build(config, Path(data_dir))


__all__ = ["TASKS", "TaskSpec", "build", "load", "spec"]

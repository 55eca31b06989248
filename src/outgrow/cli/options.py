"""Arguments and options that several verbs share."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from outgrow.core.errors import ConfigError

RecipeAndSettings = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[RECIPE] [KEY=VALUE]...",
        help="A YAML file or the name of a shipped recipe (none: the demo), then settings that override it.",
    ),
]
Store = Annotated[str, typer.Option(help="Folder or URL (s3://bucket/prefix) of the artefacts that all runs share.")]


def _load(files: list[str] | None) -> list[str] | None:
    if files:
        from outgrow.core.plugins import load_plugin

        for file in files:
            load_plugin(file)
    return files


Plugin = Annotated[
    list[str] | None,
    typer.Option(
        "--plugin",
        metavar="FILE.py",
        callback=_load,
        help="A Python file that registers methods, tasks and the like; may be given several times.",
    ),
]


Answers = Annotated[
    Path,
    typer.Argument(
        help="Answers: example_id, value and perhaps source, by these or other names; .csv, .tsv, .xlsx, .jsonl, .json "
        "or .parquet."
    ),
]
Columns = Annotated[
    list[str] | None,
    typer.Option("--columns", metavar="OURS=THEIRS", help="Which column is which: example_id=ticket,value=team."),
]
Normalise = Annotated[
    bool,
    typer.Option(
        "--normalise",
        help="Merge labels, ids and annotators that differ in writing alone; N/A and the like are invalid.",
    ),
]
Repeats = Annotated[
    str, typer.Option(help="An annotator's equal answers to one question: 'merge' counts them once, 'keep' each.")
]
Classes = Annotated[str | None, typer.Option(help="All labels there are, with commas between; others are invalid.")]
Out = Annotated[Path, typer.Option("--out", "-o", help="Where to write; the suffix chooses the format.")]
TieBreak = Annotated[int, typer.Option("--seed", help="Breaks ties; the same seed gives the same file.")]
Together = Annotated[
    bool, typer.Option("--together", help="Take the answers of all sources (workers) for one crowd's.")
]
Known = Annotated[
    Path | None, typer.Option(help="Gold of a few questions, example_id and value: rates labels by P(correct).")
]
Weights = Annotated[
    str | None, typer.Option(help="Where a trainer ignores weights: resample, threshold or keep-unused.")
]
MinWeight = Annotated[float | None, typer.Option(help="With --weights threshold: keep this weight or more; mean is 1.")]
Estimator = Annotated[
    str | None,
    typer.Option(
        help="For several annotators the model that makes their labels: auto (the default), majority, weighted_vote, "
        "one_coin, dawid_skene, variational_dawid_skene, mace, glad, dirichlet, robust_dawid_skene."
    ),
]
Without = Annotated[
    Path | None,
    typer.Option(
        help="Leave out the annotators that this table of `outgrow annotators` flags, or that this file lists."
    ),
]
CROWD = "crowd"
"""What the answers of all sources together are called."""


def split_arguments(arguments: Sequence[str]) -> tuple[str | None, list[str]]:
    """The recipe, if the first argument is one, and the overrides behind it."""
    if arguments and ("=" not in arguments[0] or _is_file(arguments[0])):
        return arguments[0], list(arguments[1:])
    return None, list(arguments)


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except (OSError, ValueError):  # too long for a name, or with a character that no name has
        return False


def check_paths(out: Path, *inputs: Path | None) -> None:
    """Refuse to write over an input."""
    for path in inputs:
        if path is not None and out.exists() and path.exists() and out.samefile(path):
            raise ConfigError(f"--out {out} is the input itself; choose another file")

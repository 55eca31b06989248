"""The verb `label`: a recipe's supervisor answers, without an experiment."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from outgrow.cli.run import split_arguments
from outgrow.cli.words import (
    check_paths,
    console,
    line,
    say_counts,
    say_levels,
    say_mix,
    say_path,
    warn_one_class,
)
from outgrow.core.errors import ConfigError
from outgrow.models.ranks import led

if TYPE_CHECKING:
    import pyarrow as pa
    from rich.console import Console


@led
def label(
    arguments: Sequence[str],
    *,
    out: Path,
    labels_out: Path | None,
    split: str,
    seed: int,
    supervisor: str | None,
    store: str | Path,
) -> None:
    """Ask, write the answers and, where wanted, a label per question; say what came out and what it cost."""
    from outgrow.experiment.label import files_of
    from outgrow.experiment.label import label as ask
    from outgrow.io import table_format, write_table
    from outgrow.recipe.recipe import load_labelling
    from outgrow.reliability import agreement, label_mix

    given, overrides = split_arguments(arguments)
    written = [path for path in (out, labels_out) if path is not None]
    for path in written:
        table_format(path)
    if len(written) == 2 and out.absolute() == written[1].absolute():
        raise ConfigError(f"--out and --labels are both {out}; the labels would replace the answers")
    recipe = load_labelling(given, overrides)
    for path in written:
        for read in (*files_of(recipe), *([Path(given)] if given is not None else [])):
            check_paths(read, path)
    found = ask(recipe, split=split, seed=seed, supervisor=supervisor, store=store)
    write_table(found.answers, out)
    labels = agreement(found.answers, seed=seed)
    if labels_out is not None:
        write_table(labels, labels_out)
    shown = console()
    line(shown, f"{found.supervisor} answered the questions of split '{split}'")
    say_counts(shown, found.answers, labels)
    _say_fewer(shown, found.answers)
    for used in found.usage:
        cost = "" if used.get("cost") is None else f", cost {used['cost']:,.4f}"
        line(
            shown,
            f"{used['about']}: {used['requests']:,} requests ({used['retries']:,} retries), "
            f"{used['prompt_tokens']:,} + {used['completion_tokens']:,} tokens{cost}; in all, earlier runs included",
        )
    say_levels(shown, labels)
    mix = label_mix(labels)
    say_mix(shown, {"share": mix})
    warn_one_class(shown, mix)
    say_path(shown, out, found.answers.num_rows)
    if labels_out is not None:
        say_path(shown, labels_out, labels.num_rows)


def _say_fewer(shown: Console, answers: pa.Table) -> None:
    """How many questions have fewer answers than others: too few usable paraphrases, or a file that has not more."""
    counts = answers.column("example_id").value_counts().field("counts").to_pylist()
    most = max(counts)
    if fewer := sum(n < most for n in counts):
        line(shown, f"note: {fewer:,} of {len(counts):,} questions have fewer than {most:,} answers")

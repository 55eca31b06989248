"""The verb `label`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outgrow.cli.options import Estimator, Plugin, Store, check_paths, split_arguments
from outgrow.cli.stopping import stoppable
from outgrow.core.terminal import line

if TYPE_CHECKING:
    import pyarrow as pa


def label(
    out: Annotated[Path, typer.Option("--out", "-o", help="The answers; the suffix chooses the format.")],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RECIPE] [KEY=VALUE]...",
            help="A YAML file with task, supervisors and ask (none: the demo), then settings that override it.",
        ),
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="Also write a label per question here.")] = None,
    split: Annotated[str, typer.Option(help="Which questions.")] = "pool",
    seed: Annotated[int, typer.Option(min=0, help="Of tuning, demonstrations and draws.")] = 0,
    supervisor: Annotated[str | None, typer.Option(help="Its name in the recipe; by default the first.")] = None,
    everybody: Annotated[
        bool, typer.Option("--all", help="Ask all supervisors of the recipe; each keeps its name.")
    ] = False,
    estimator: Estimator = None,
    store: Store = "outgrow-store",
    plugin: Plugin = None,
) -> None:
    """Ask a supervisor, or all, and write the answers; what is in the store is not asked again."""
    from outgrow.core.errors import ConfigError
    from outgrow.experiment.label import files_of
    from outgrow.io.writing import writable_format
    from outgrow.models.ranks import led, ranks
    from outgrow.recipe.recipe import load_labelling

    given, overrides = split_arguments(arguments or [])
    written = [path for path in (out, labels) if path is not None]
    for path in written:
        writable_format(path)
    if len(written) == 2 and out.absolute() == written[1].absolute():
        raise ConfigError(f"--out and --labels are both {out}; the labels would replace the answers")
    # every rank reads the recipe, so that every rank has its plugins
    recipe = ranks().agree(lambda: load_labelling(given, overrides))[0]
    for path in written:
        check_paths(path, *files_of(recipe), None if given is None else Path(given))
    with stoppable(store):
        led(_label)(
            recipe, out, labels, estimator, split=split, seed=seed, supervisor=supervisor, everybody=everybody,
            store=store,
        )  # fmt: skip


def _label(recipe: Any, out: Path, labels_out: Path | None, estimator: str | None, **options: Any) -> None:
    """Ask, write the answers and, where wanted, a label per question; say what came out and what it cost."""
    from outgrow.cli.words import say_certainty, say_counts, say_levels, say_mix, say_path, warn_one_class
    from outgrow.experiment.label import label as ask
    from outgrow.io import write_table
    from outgrow.reliability import for_annotators, label_answers, label_mix

    labelled = ask(recipe, **options)
    write_table(labelled.answers, out)
    labels = label_answers(labelled.answers, estimator=estimator, seed=options["seed"])
    if labels_out is not None:
        write_table(labels, labels_out)
    line(f"{labelled.supervisor} answered the questions of split '{options['split']}'")
    say_counts(labelled.answers, labels)
    _say_fewer(labelled.answers)
    for used in labelled.usage:
        cost = "" if used.get("cost") is None else f", cost {used['cost']:,.4f}"
        line(
            f"{used['about']}: {used['requests']:,} requests ({used['retries']:,} retries), "
            f"{used['prompt_tokens']:,} + {used['completion_tokens']:,} tokens{cost}; in all, earlier runs included",
        )
    (say_certainty if for_annotators(estimator, labelled.answers) else say_levels)(labels)
    mix = label_mix(labels)
    say_mix({"share": mix})
    warn_one_class(mix)
    say_path(out, labelled.answers.num_rows)
    if labels_out is not None:
        say_path(labels_out, labels.num_rows)


def _say_fewer(answers: pa.Table) -> None:
    """How many questions have fewer answers than others: too few usable paraphrases, or a file that has not more."""
    counts = answers.column("example_id").value_counts().field("counts").to_pylist()
    most = max(counts)
    if fewer := sum(n < most for n in counts):
        line(f"note: {fewer:,} of {len(counts):,} questions have fewer than {most:,} answers")

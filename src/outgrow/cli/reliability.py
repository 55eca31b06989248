"""The verb `reliability`: a label per question, without training."""

from __future__ import annotations

from typing import Annotated

import typer

from outgrow.cli.options import (
    Answers,
    Classes,
    Columns,
    Known,
    Normalise,
    Out,
    Repeats,
    TieBreak,
    Together,
    Without,
    check_paths,
)
from outgrow.cli.reading import Tidying, say_read
from outgrow.cli.words import say_accuracy, say_certainty, say_counts, say_levels, say_mix, say_path, warn_one_class
from outgrow.core.errors import PrerequisiteError
from outgrow.core.terminal import line


def reliability(
    path: Answers,
    out: Out,
    seed: TieBreak = 0,
    temperature: Annotated[float, typer.Option(help="T of the softmax reliability, above 0.")] = 0.2,
    estimator: Annotated[
        str | None,
        typer.Option(
            help="Column 'reliability'. One source: softmax (the default), vote_share, mean_logprob, margin or "
            "probability. Several annotators: auto (the default), majority, weighted_vote, one_coin, dawid_skene, "
            "variational_dawid_skene, mace, glad, dirichlet or robust_dawid_skene."
        ),
    ] = None,
    one_label_per_source: Annotated[
        bool, typer.Option("--one-label-per-source", help="Label each source apart.")
    ] = False,
    without: Without = None,
    together: Together = False,
    columns: Columns = None,
    normalise: Normalise = False,
    repeats: Repeats = "merge",
    classes: Classes = None,
    known: Known = None,
    calibrate: Annotated[str, typer.Option(help="With --known: platt, beta or isotonic.")] = "platt",
    options: Annotated[
        int | None,
        typer.Option(min=2, help="Options per question: estimates from the votes how many labels are right."),
    ] = None,
) -> None:
    """One label per question: the consensus, its votes, entropy and reliability."""
    import pyarrow.compute as pc

    from outgrow import reliability as room
    from outgrow.io import write_table
    from outgrow.io.writing import writable_format

    check_paths(out, path, known, without)
    writable_format(out)
    tidying = Tidying(columns, normalise, repeats, classes, without, together)
    tidied = tidying.read(path, only=("logprob", "probabilities"), numbered=False)
    answers = tidied.answers
    bought = tidying.gold(known, answers)
    crowd = not one_label_per_source and room.for_annotators(estimator, answers)
    labels = room.label_answers(
        answers,
        seed=seed,
        temperature=temperature,
        estimator=estimator,
        one_label_per_source=one_label_per_source,
        known=bought if crowd else None,
        classes=tidying.class_list if crowd else None,
    )
    if bought is not None and not crowd:
        of_known = labels.filter(pc.is_in(labels["example_id"], bought["example_id"].combine_chunks()))
        labels = room.calibrate(labels, of_known, bought, kind=calibrate, seed=seed)
    accuracy, why = None, ""
    if options is not None:
        try:
            accuracy = room.accuracy_from_votes(labels, options=options, seed=seed)
        except PrerequisiteError as error:
            why = str(error)
    write_table(labels, out)
    say_read(tidied)
    say_counts(answers, labels)
    if crowd:
        model = (labels.schema.metadata or {})[b"estimator"].decode()
        line(f"reliability is P(correct) by {model}" + (f", with {bought.num_rows:,} known labels" if bought else ""))
    elif bought is not None:
        line(f"reliability is P(correct), learnt from {bought.num_rows:,} known gold labels ({calibrate})")
    if accuracy is not None:
        say_accuracy(accuracy)
    if why:
        line(f"warning: {why}")
    if labels["reliability"].null_count == labels.num_rows:
        name = estimator or "softmax"
        line(f"warning: no label has a reliability; the estimator {name} finds nothing in these answers")
    (say_certainty if crowd else say_levels)(labels)
    mix = room.label_mix(labels)
    say_mix({"share": mix})
    warn_one_class(mix)
    say_path(out, labels.num_rows)

"""The verb `reliability`: a label per question, without training."""

from __future__ import annotations

from typing import Annotated

import typer

from outgrow.cli.options import CROWD, Answers, Known, Out, TieBreak, Together, check_paths
from outgrow.cli.words import say_accuracy, say_counts, say_ignored, say_levels, say_mix, say_path, warn_one_class
from outgrow.core.errors import PrerequisiteError
from outgrow.core.terminal import line


def reliability(
    path: Answers,
    out: Out,
    seed: TieBreak = 0,
    temperature: Annotated[float, typer.Option(help="T of the softmax reliability, above 0.")] = 0.2,
    estimator: Annotated[
        str, typer.Option(help="Column 'reliability': softmax, vote_share, mean_logprob, margin or probability.")
    ] = "softmax",
    one_label_per_source: Annotated[
        bool, typer.Option("--one-label-per-source", help="Label each source apart.")
    ] = False,
    together: Together = False,
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
    from outgrow.io import as_one_source, read_answers, read_gold, table_format, write_table

    check_paths(out, path, known)
    table_format(out)
    answers = read_answers(path, only=("logprob", "probabilities"), numbered=False)
    if together:
        answers = as_one_source(answers, CROWD)
    labels = room.agreement(
        answers,
        seed=seed,
        temperature=temperature,
        estimator=estimator,
        one_label_per_source=one_label_per_source,
    )
    bought = None if known is None else read_gold(known)
    if bought is not None:
        of_known = labels.filter(pc.is_in(labels["example_id"], bought["example_id"].combine_chunks()))
        labels = room.calibrate(labels, of_known, bought, kind=calibrate, seed=seed)
    accuracy, why = None, ""
    if options is not None:
        try:
            accuracy = room.accuracy_from_votes(labels, options=options, seed=seed)
        except PrerequisiteError as error:
            why = str(error)
    write_table(labels, out)
    say_ignored(answers)
    say_counts(answers, labels)
    if bought is not None:
        line(f"reliability is P(correct), learnt from {bought.num_rows:,} known gold labels ({calibrate})")
    if accuracy is not None:
        say_accuracy(accuracy)
    if why:
        line(f"warning: {why}")
    if labels["reliability"].null_count == labels.num_rows:
        line(f"warning: no label has a reliability; the estimator {estimator} finds nothing in these answers")
    say_levels(labels)
    mix = room.label_mix(labels)
    say_mix({"share": mix})
    warn_one_class(mix)
    say_path(out, labels.num_rows)

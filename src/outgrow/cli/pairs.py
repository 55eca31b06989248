"""The verb `pairs`: preference pairs of answers, or of a preference file, without training."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from outgrow.cli.options import CROWD, MinWeight, Out, TieBreak, Together, Weights, check_paths
from outgrow.cli.words import say_ignored, say_weights, say_written
from outgrow.core.errors import ConfigError
from outgrow.core.terminal import line

if TYPE_CHECKING:
    from outgrow.experiment.pairs import Summary


def pairs(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="Answers (example_id, value) or preferences (chosen, rejected): .jsonl, .csv or .parquet.",
        ),
    ],
    out: Out,
    chosen: Annotated[str | None, typer.Option(help="The source whose answers are chosen.")] = None,
    rejected: Annotated[str | None, typer.Option(help="The source whose answers are rejected.")] = None,
    scores: Annotated[
        Path | None,
        typer.Option(help="Scores, higher for better: score and the answers' key. Or a column 'score' in FILE."),
    ] = None,
    judge: Annotated[str | None, typer.Option(help="Who gave the scores; a column 'score' is used if named.")] = None,
    log_odds: Annotated[
        bool, typer.Option("--log-odds", help="Differences of scores are log odds, which gives p_better.")
    ] = False,
    match: Annotated[str | None, typer.Option(help="Keep pairs alike in 'length', or in 'style'.")] = None,
    weigh: Annotated[str, typer.Option(help="equal, or confidence: 2 p_better - 1, at least 0.")] = "equal",
    flips: Annotated[
        str, typer.Option(help="none, or p_better: 1 - p_better is the probability that a pair is the wrong way round.")
    ] = "none",
    reverse: Annotated[bool, typer.Option("--reverse", help="Turn all pairs in the end: a placebo.")] = False,
    questions: Annotated[
        Path | None, typer.Option(help="Prompts for answers without: example_id, question, and maybe choices.")
    ] = None,
    form: Annotated[
        str,
        typer.Option(
            "--format",
            help="pairs (our own columns), trl-preference, trl-preference-chat, llamafactory-preference, "
            "llamafactory-sharegpt-preference or axolotl-preference.",
        ),
    ] = "pairs",
    weights: Weights = None,
    min_weight: MinWeight = None,
    seed: TieBreak = 0,
    together: Together = False,
) -> None:
    """Preference pairs: which of two answers is better, in the form a trainer reads."""
    from outgrow.experiment import pairs as room
    from outgrow.io import as_one_source, export, read_answers, read_pairs
    from outgrow.io.answers import read_scores
    from outgrow.io.export.formats import check_weights_fit
    from outgrow.io.questions import read_questions
    from outgrow.io.reading import column_names

    check_paths(out, path, scores, questions)
    export.check_out(out, form, pairs=True)
    reader = export.find_format(form, pairs=True)
    check_weights_fit(reader, weights, weighted=weigh == "confidence", flips=flips == "p_better")
    points = None
    if {"chosen", "rejected"} & set(column_names(path)):
        if scores is not None or judge is not None or together:
            raise ConfigError("--scores, --judge and --together are for answers; this file says which is better")
        table = read_pairs(path)
    else:
        table = read_answers(path)
        if scores is not None or judge is not None:
            points = read_scores(scores or path, table)
        table = as_one_source(table, CROWD) if together else table
    paired = room.pairs(
        table,
        chosen=chosen,
        rejected=rejected,
        scores=points,
        judge=judge or "scores",
        log_odds=log_odds,
        match=match,
        weigh=weigh,
        flips=flips,
        reverse=reverse,
        questions=None if questions is None else read_questions(questions),
        weights=weights,
        min_weight=min_weight,
        seed=seed,
    )
    written = export.write_rows(paired.pairs, out, format=form, keep_weights=weights == "keep-unused")
    say_ignored(table, but=() if points is None else ("score",))
    _say_paired(paired.summary)
    say_written(written, paired.pairs, reader, "pairs")


def _say_paired(summary: Summary) -> None:
    line(f"{summary.given:,} {summary.what} to {summary.questions:,} questions gave {summary.made:,} pairs")
    for reason, count in summary.without.items():
        line(f"no pair from {count:,} questions: {reason}")
    if summary.unmatched:
        line(f"{summary.unmatched:,} pairs were left out: their answers are not alike in {summary.match}")
    if summary.removed:
        line(f"{summary.removed:,} pairs of weight 0 were removed")
    mean = "" if summary.mean_weight == 1 else ", which the file has as 1"
    line(f"mean weight {summary.mean_weight:.4g}{mean}; {summary.known:.1%} of the pairs have a p_better")
    say_weights(summary.weights, summary.left_out, "pairs")

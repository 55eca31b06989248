"""The verb `explore`: labels as a page to look at."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outgrow.cli.options import Classes, Columns, Estimator, Known, Normalise, Repeats, Together, Without, check_paths
from outgrow.cli.reading import Tidying, say_read, taken_columns
from outgrow.core.terminal import line


def explore(
    labels: Annotated[
        Path, typer.Argument(help="Labels of `outgrow reliability`, or answers: .jsonl, .csv, .parquet.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The page, one .html file that needs no network.")],
    answers: Annotated[
        Path | None, typer.Option(help="The answers behind the labels, to read them row by row.")
    ] = None,
    questions: Annotated[
        Path | None, typer.Option(help="With --answers: prompts for answers without: example_id, question.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Breaks ties where labels are made of answers.")] = 0,
    estimator: Estimator = None,
    known: Known = None,
    without: Without = None,
    together: Together = False,
    columns: Columns = None,
    normalise: Normalise = False,
    repeats: Repeats = "merge",
    classes: Classes = None,
) -> None:
    """Write a page of labels: histograms that filter a table of questions."""
    from outgrow.core.errors import ConfigError, DataError, PrerequisiteError
    from outgrow.experiment.curate import with_prompts
    from outgrow.io.labels import read_labels
    from outgrow.io.questions import read_questions
    from outgrow.io.tidy import COLUMNS
    from outgrow.reliability import AUTO, agreement, for_annotators, of_several
    from outgrow.reporting.explore import write_explorer

    if out.suffix.lower() not in (".html", ".htm"):
        raise ConfigError(f"--out {out}: the page is HTML; end its name in .html")
    if not out.parent.is_dir():
        raise DataError(f"{out}: the folder '{out.parent}' does not exist; create it first")
    check_paths(out, labels, answers, questions, known, without)
    table = read_labels(labels)
    tidying = Tidying(columns, normalise, repeats, classes, without, together)
    tidied = None if answers is None else tidying.read(answers)
    rows = None if tidied is None else tidied.answers
    people = None
    if table is None:
        if rows is not None:
            raise PrerequisiteError(
                f"{labels} holds no labels (no votes, entropy or reliability) but answers, and --answers gives others; "
                f"leave --answers out, or make the labels first: outgrow reliability {answers} --out labels.jsonl"
            )
        tidied = tidying.read(labels)
        rows = tidied.answers
        table = None if for_annotators(estimator, rows) else agreement(rows, seed=seed)
    asked = None
    if questions is not None:
        if rows is None:
            raise PrerequisiteError(f"--questions {questions} belongs to the answers; add them: --answers FILE")
        asked = read_questions(questions, columns=taken_columns(rows))
    if rows is not None and of_several(rows) and (table is None or table["source"].null_count == table.num_rows):
        from outgrow.reliability.annotators import annotator_table, fit_annotators

        gold = tidying.gold(known, rows)
        model = fit_annotators(rows, model=estimator or AUTO, known=gold, classes=tidying.class_list)
        people = annotator_table(model)
        table = model.posterior_table(seed=seed) if table is None else table
    assert table is not None
    if asked is not None and rows is not None:
        rows = with_prompts(rows, asked)
    audit = None if tidied is None else tidied.audit
    write_explorer(
        table, out, answers=rows, annotators=people, name=labels.stem,
        variants=None if audit is None else {COLUMNS[name]: groups for name, groups in audit.variants.items()},
        merged=audit is not None and audit.merged,
    )  # fmt: skip
    if tidied is not None:
        say_read(tidied)
    size = out.stat().st_size / 1e6
    line(f"wrote a page of {table.num_rows:,} questions to {out} ({max(size, 0.1):.1f} MB)")

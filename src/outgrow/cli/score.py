"""The verb `score`: predictions against gold, by any metric."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from outgrow.cli.options import Columns, Plugin
from outgrow.core.terminal import line, plain_table, show, visible

if TYPE_CHECKING:
    from outgrow.experiment.score import Scored


def score(
    predictions: Annotated[
        Path, typer.Argument(help="Predictions: example_id and value, by these or other names; any format of answers.")
    ],
    gold: Annotated[
        Path,
        typer.Argument(help="Gold: the same, and perhaps group_id; slots as text, JSON or a list of type, filler."),
    ],
    metric: Annotated[
        list[str] | None,
        typer.Option(help="Which metric (`outgrow metrics`); may be given several times. Default: accuracy."),
    ] = None,
    columns: Columns = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print numbers instead of a table.")] = False,
    plugin: Plugin = None,
) -> None:
    """How good predictions are: any metric with its interval, and F1 by type of slot."""
    import json

    from outgrow.experiment import score as room
    from outgrow.io.columns import parse_columns
    from outgrow.io.values import VALUES

    named = parse_columns(columns, VALUES.names)
    scored = room.score(predictions, gold, metrics=metric or ["accuracy"], columns=named)
    if as_json:
        typer.echo(json.dumps(scored.numbers(), indent=2))
        return
    _say(scored)


def _say(scored: Scored) -> None:
    from outgrow.reporting.formatting import interval, percent

    for side, columns in scored.taken.items():
        if columns:
            shown = ", ".join(f"{visible(theirs, 60)} is {ours}" for ours, theirs in columns.items())
            line(f"columns of {side}: {shown}")
    groups = f" in {scored.groups:,} groups" if scored.groups < scored.questions else ""
    line(f"{scored.questions:,} questions{groups}, {scored.missing:,} without a prediction, {scored.invalid:,} empty")
    if scored.unreadable:
        line(f"warning: {scored.unreadable:,} predictions are no slots; the first is {scored.first_unreadable}")
    if scored.missing + scored.invalid + scored.unreadable:
        line("questions without a readable prediction count as invalid answers: a class never right, no slots")
    if scored.without_gold:
        line(f"note: {scored.without_gold:,} predictions have no gold and are not scored")
    table = _numbers("metric", "value, %", "95 % interval")
    for name, estimate in scored.metrics.items():
        table.add_row(name, percent(estimate.value), interval(estimate.low, estimate.high))
    show(table)
    if scored.types:
        table = _numbers("type", "gold", "predicted", "right", "F1, %", title="Whole slots by type")
        for each in scored.types:
            numbers = (each.gold, each.predicted, each.hits)
            table.add_row(visible(each.type, 40), *(f"{number:,}" for number in numbers), percent(each.f1))
        show(table)


def _numbers(*titles: str, title: str | None = None) -> Any:
    table = plain_table(*titles, title=title)
    for column in table.columns[1:]:
        column.justify = "right"
    return table

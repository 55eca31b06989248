"""The verbs of the command `outgrow`. Nothing heavy is imported here: each verb imports what it needs when it runs."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Annotated

import typer

from outgrow.cli.annotators import annotators
from outgrow.cli.curate import curate
from outgrow.cli.doctor import doctor
from outgrow.cli.explore import explore
from outgrow.cli.export import export
from outgrow.cli.label import label
from outgrow.cli.lists import methods, metrics, objectives, supervisors, tasks
from outgrow.cli.microworld import app as microworld
from outgrow.cli.pairs import pairs
from outgrow.cli.plan import plan
from outgrow.cli.recipes import recipes
from outgrow.cli.reliability import reliability
from outgrow.cli.report import report
from outgrow.cli.run import run
from outgrow.cli.schema import schema
from outgrow.cli.score import score
from outgrow.cli.show import show
from outgrow.cli.status import status
from outgrow.cli.study import study
from outgrow.core.lean import start_without_pandas

VERBS: dict[Callable[..., None], str | None] = {
    run: "outgrow run recipe.yaml 'seeds=[0,1,2]' student.model=microworld/base",
    plan: "outgrow plan recipe.yaml --device h100 --devices 8 --price-per-hour 2.5",
    label: "outgrow label recipe.yaml ask.variants=5 --out answers.jsonl --labels labels.jsonl",
    reliability: None,
    annotators: "outgrow annotators answers.csv --known gold.csv --out annotators.csv",
    curate: None,
    pairs: "outgrow pairs answers.jsonl --chosen big --rejected small --format trl-preference --out pairs.jsonl",
    score: "outgrow score predictions.jsonl gold.jsonl --metric slu_f1 --columns example_id=slurp_id,value=slots",
    explore: "outgrow explore labels.jsonl --out labels.html --answers answers.jsonl",
    show: None,
    report: None,
    export: "outgrow export runs/demo-5b27c2e9 --arm uncertainty_filtering --out my-model",
    status: "outgrow status s3://bucket/prefix",
    recipes: None,
    schema: "outgrow schema > recipe.schema.json",
    tasks: None,
    methods: "outgrow methods uncertainty_filtering",
    objectives: None,
    supervisors: None,
    metrics: None,
    study: "outgrow study simulable_errors --seeds 3",
    doctor: None,
}
"""Each verb with an example."""

app = typer.Typer(
    name="outgrow",
    help="Train a strong model on labels that cannot be fully trusted, and measure how far it outgrows its teacher.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for _verb, _example in VERBS.items():
    app.command(epilog=_example and f"Example: {_example}")(_verb)
app.add_typer(microworld, name="microworld")


def _version(value: bool) -> bool:
    if value:
        from outgrow import __version__

        typer.echo(f"outgrow {__version__}")
        raise typer.Exit
    return value


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    if "--help" not in sys.argv:
        start_without_pandas()

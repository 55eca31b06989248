"""The verbs of the command `outgrow`. Nothing heavy is imported here: each verb imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from outgrow.cli import labels as cli_labels
from outgrow.cli import plan as cli_plan
from outgrow.cli.plan import RecipeAndSettings

app = typer.Typer(
    name="outgrow",
    help="Train a strong model on labels that cannot be fully trusted, and measure how far it outgrows its teacher.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
Store = Annotated[str, typer.Option(help="Folder or URL (s3://bucket/prefix) of the artefacts that all runs share.")]


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
    pass


@app.command(epilog="Example: outgrow run recipe.yaml seeds=[0,1,2] student.model=microworld/base")
def run(
    arguments: RecipeAndSettings = None,
    store: Store = "outgrow-store",
    out: Annotated[Path | None, typer.Option(help="Folder of the results; by default made from the name.")] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, help="Jobs at a time; by default one per graphics card, or else per core.")
    ] = None,
    on: Annotated[
        str | None,
        typer.Option(help="Where jobs run: local, ray (the cluster of RAY_ADDRESS), or ray://HOST:PORT."),
    ] = None,
    gpus: Annotated[
        float | None,
        typer.Option(min=0, help="On Ray, cards per job, or a share of one; by default 1 if the cluster has any."),
    ] = None,
    fail_fast: Annotated[bool, typer.Option("--fail-fast", help="Stop everything at the first failure.")] = False,
    dry: Annotated[bool, typer.Option("--dry", help="Check everything and list the jobs; train nothing.")] = False,
) -> None:
    """Carry out a recipe, end to end, and write its report."""
    from outgrow.cli.run import run as verb

    verb(arguments or [], store=store, out=out, jobs=jobs, dry=dry, on=on, gpus=gpus, fail_fast=fail_fast)


app.command(epilog="Example: outgrow plan recipe.yaml --device h100 --devices 8 --price-per-hour 2.5")(cli_plan.plan)


@app.command(epilog="Example: outgrow label recipe.yaml ask.variants=5 --out answers.jsonl --labels labels.jsonl")
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
    store: Store = "outgrow-store",
) -> None:
    """Ask a supervisor and write its answers; what is in the store is not asked again."""
    from outgrow.cli.label import label as verb

    verb(arguments or [], out=out, labels_out=labels, split=split, seed=seed, supervisor=supervisor, store=store)


app.command()(cli_labels.reliability)
app.command()(cli_labels.curate)


@app.command(epilog="Example: outgrow explore labels.jsonl --out labels.html --answers answers.jsonl")
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
) -> None:
    """Write a page of labels: histograms that filter a table of questions."""
    from outgrow.cli.explore import explore as verb

    verb(labels, out=out, answers=answers, questions=questions, seed=seed)


@app.command()
def show(
    rows: Annotated[Path, typer.Argument(help="Training rows: .jsonl, .csv or .parquet with prompt and target.")],
    model: Annotated[str, typer.Option(help="The model whose tokenizer reads the rows.")] = "microworld/base",
    row: Annotated[str, typer.Option(help="Number of the row from 0, its row_id or its example_id.")] = "0",
    chat: Annotated[bool, typer.Option("--chat", help="Put the prompt through the model's chat template.")] = False,
    classifier: Annotated[bool, typer.Option("--classifier", help="As a classifier head reads it.")] = False,
) -> None:
    """Show a training row as the model sees it: tokens, mask, weight."""
    from outgrow.cli.show import show as verb

    verb(rows, model=model, row=row, chat=chat, classifier=classifier)


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="The folder of a finished run.")]) -> None:
    """Write a run's report anew."""
    from outgrow.cli.run import report as verb

    verb(folder)


@app.command(epilog="Example: outgrow export runs/demo-5b27c2e9 --arm uncertainty_filtering --out my-model")
def export(
    folder: Annotated[Path, typer.Argument(help="The folder of a finished run.")],
    arm: Annotated[str, typer.Option(help="The arm, or the supervisor, whose model is wanted.")],
    out: Annotated[Path, typer.Option(help="Where the model goes, in Hugging Face format.")],
    seed: Annotated[int, typer.Option(help="The seed it was trained with.")] = 0,
    store: Store = "outgrow-store",
) -> None:
    """Copy a trained model out of the store."""
    from outgrow.cli.export import export as verb

    verb(folder, arm=arm, seed=seed, store=store, out=out)


@app.command(epilog="Example: outgrow status s3://bucket/prefix")
def status(
    store: Annotated[str, typer.Argument(help="Folder or URL of the store.")] = "outgrow-store",
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object, for programs.")] = False,
) -> None:
    """Show what is in a store: results, steps under way, abandoned work, damage."""
    from outgrow.cli.status import show as verb

    verb(store, as_json=as_json)


@app.command()
def tasks(kind: Annotated[str | None, typer.Argument(help="Show the options of this kind.")] = None) -> None:
    """List the kinds of task, or the options of one."""
    from outgrow.cli.lists import tasks as verb

    verb(kind)


@app.command()
def methods(name: Annotated[str | None, typer.Argument(help="Show the settings of this method.")] = None) -> None:
    """List the methods, or the settings of one."""
    from outgrow.cli.lists import methods as verb

    verb(name)


@app.command()
def doctor() -> None:
    """Show versions, extras, models and the machine."""
    from outgrow.cli.doctor import doctor as verb

    verb()


microworld = typer.Typer(help="The generated world: its facts and its questions.", no_args_is_help=True)
app.add_typer(microworld, name="microworld")


@microworld.command()
def facts(
    entity: Annotated[str | None, typer.Argument(help="An entity's name; none: the first ones.")] = None,
    world: Annotated[int, typer.Option(min=0, help="The world's seed.")] = 0,
    count: Annotated[int, typer.Option(min=1, help="How many entities.")] = 5,
) -> None:
    """Show what is true, and what the names suggest."""
    from outgrow.cli.microworld import facts as verb

    verb(entity, world=world, count=count)


@microworld.command()
def sample(
    options: Annotated[
        list[str] | None, typer.Argument(metavar="[KEY=VALUE]...", help="Options of the task, e.g. family=claim.")
    ] = None,
    split: Annotated[str, typer.Option(help="supervisor_train, pool, validation, test or known.")] = "pool",
    count: Annotated[int, typer.Option(min=1, help="How many questions.")] = 3,
    variants: Annotated[int, typer.Option(min=1, help="Wordings of each.")] = 1,
) -> None:
    """Show questions as they are put, with their gold answers."""
    from outgrow.cli.microworld import sample as verb

    verb(options or [], split=split, count=count, variants=variants)

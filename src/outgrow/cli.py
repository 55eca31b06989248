"""The verbs of the command `outgrow`. Nothing heavy is imported here: each verb imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="outgrow",
    help="Train a strong model on labels that cannot be fully trusted, and measure how far it outgrows its teacher.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
Store = Annotated[Path, typer.Option(help="Folder of the artefacts that all runs share.")]


def _version(value: bool) -> None:
    if value:
        from outgrow import __version__

        typer.echo(f"outgrow {__version__}")
        raise typer.Exit


@app.callback()
def _app(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version and stop.")
    ] = False,
) -> None:
    pass


@app.command(epilog="Example: outgrow run recipe.yaml seeds=[0,1,2] student.model=microworld/base")
def run(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[RECIPE] [KEY=VALUE]...",
            help="A YAML file or the name of a shipped recipe (none: the demo), then settings that override it.",
        ),
    ] = None,
    store: Store = Path("outgrow-store"),
    out: Annotated[Path | None, typer.Option(help="Folder of the results; by default made from the name.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Processes at a time; by default one per core.")] = None,
    dry: Annotated[bool, typer.Option("--dry", help="Check everything and list the jobs; train nothing.")] = False,
) -> None:
    """Carry out a recipe, end to end, and write its report."""
    from outgrow.cli_run import run as verb

    verb(arguments or [], store=store, out=out, jobs=jobs, dry=dry)


@app.command()
def report(folder: Annotated[Path, typer.Argument(help="The folder of a finished run.")]) -> None:
    """Write a run's report anew."""
    from outgrow.cli_run import report as verb

    verb(folder)


@app.command()
def tasks(kind: Annotated[str | None, typer.Argument(help="Show the options of this kind.")] = None) -> None:
    """List the kinds of task, or the options of one."""
    from outgrow.cli_lists import tasks as verb

    verb(kind)


@app.command()
def methods(name: Annotated[str | None, typer.Argument(help="Show the settings of this method.")] = None) -> None:
    """List the methods, or the settings of one."""
    from outgrow.cli_lists import methods as verb

    verb(name)


@app.command()
def doctor() -> None:
    """Show versions, extras, models and the machine."""
    from outgrow.cli_doctor import doctor as verb

    verb()

"""The verb `doctor`: versions, extras, models and the machine."""

from __future__ import annotations

from outgrow.cli.terminal import plain_table


def doctor() -> None:
    """Show versions, extras, models and the machine."""
    from rich.console import Console
    from rich.markup import escape

    from outgrow.models.doctor import doctor as facts

    table = plain_table("what", "found")
    for what, fact in facts().items():
        table.add_row(what, escape(fact))
    Console().print(table)

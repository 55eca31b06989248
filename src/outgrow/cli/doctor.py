"""The verb `doctor`: versions, extras, models and the machine."""

from __future__ import annotations


def doctor() -> None:
    """Show versions, extras, models and the machine."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from outgrow.models.doctor import doctor as facts

    table = Table("what", "found", box=None, pad_edge=False)
    for what, fact in facts().items():
        table.add_row(what, escape(fact))
    Console().print(table)

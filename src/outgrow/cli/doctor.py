"""The verb `doctor`: versions, extras, models and the machine."""

from __future__ import annotations

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def doctor() -> None:
    """Print the facts that decide what runs here."""
    from outgrow.models.doctor import doctor as facts

    table = Table("what", "found", box=None, pad_edge=False)
    for what, fact in facts().items():
        table.add_row(what, escape(fact))
    Console().print(table)

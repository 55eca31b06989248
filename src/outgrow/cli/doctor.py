"""The verb `doctor`: versions, extras, models and the machine."""

from __future__ import annotations

from outgrow.core.terminal import line, plain_table, show


def doctor() -> None:
    """Show versions, extras, models and the machine."""
    from outgrow.models.doctor import doctor as facts

    line("importing what is installed, which takes a while", error=True)
    table = plain_table("what", "found")
    for what, fact in facts().items():
        table.add_row(what, fact)
    show(table)

"""How verbs write to the terminal. Nothing heavy is imported before they do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def console() -> Console:
    """For lines that a program may read: nothing coloured, nothing wrapped."""
    from rich.console import Console

    return Console(highlight=False, soft_wrap=True)


def line(text: str) -> None:
    """One line as it is."""
    console().print(text, markup=False)


def wide_console(width: int) -> Console:
    """As wide as the terminal; a file or a pipe has no edge to keep within, and gets `width` columns."""
    from rich.console import Console

    console = Console()
    return console if console.is_terminal else Console(width=width)


def plain_table(*titles: str) -> Table:
    """A table without lines."""
    from rich.table import Table

    return Table(*titles, box=None, pad_edge=False)


def visible(text: str, length: int = 60) -> str:
    """Text of a file as a terminal may show it: control characters escaped, long text cut."""
    text = "".join(c if c.isprintable() else c.encode("unicode_escape").decode("ascii") for c in text)
    return text if len(text) <= length else text[: length - 1] + "…"

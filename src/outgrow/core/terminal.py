"""How text reaches a terminal: what comes from files and servers cannot move its cursor, colour it or turn it round."""

from __future__ import annotations

import unicodedata
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table


def visible(text: str, length: int | None = None) -> str:
    """One line of text as a terminal may show it: control and format characters escaped, and cut where it is long."""
    if not text.isprintable():
        text = "".join(
            c if c.isprintable() or unicodedata.category(c) == "Zs" else c.encode("unicode_escape").decode("ascii")
            for c in text
        )
    return text if length is None or len(text) <= length else text[: length - 1] + "…"


def visible_lines(text: str) -> str:
    """`visible` for text of several lines."""
    return "\n".join(map(visible, text.split("\n")))


def console(*, error: bool = False) -> Console:
    """For lines that a program may read: nothing coloured, nothing wrapped."""
    from rich.console import Console

    return Console(stderr=error, highlight=False, soft_wrap=True, emoji=False)


def line(text: str, *, error: bool = False, style: str | None = None) -> None:
    """One line, or several, as they are; on stderr with `error`."""
    console(error=error).print(visible_lines(text), markup=False, style=style)


def show(table: Any) -> None:
    """A table, as wide as the terminal; in a file or a pipe as wide as it needs to be."""
    found = wide_console(10_000)
    found.file.write("".join(f"{row.rstrip()}\n" for row in _rows(table, found)))


def plain_text(table: Any, width: int) -> str:
    """A table as text without colours, `width` columns wide."""
    from rich.console import Console

    return "\n".join(row.rstrip() for row in _rows(table, Console(width=width, color_system=None, emoji=False)))


def _rows(table: Any, console: Console) -> list[str]:
    with console.capture() as captured:
        console.print(table)
    return captured.get().splitlines()


def wide_console(width: int) -> Console:
    """As wide as the terminal; a file or a pipe has no edge to keep within, and gets `width` columns."""
    from rich.console import Console

    found = Console(highlight=False, emoji=False)
    return found if found.is_terminal else Console(width=width, highlight=False, emoji=False)


def plain_table(*titles: str, **options: Any) -> Table:
    """A table without lines, unless `options` of rich's say otherwise, whose cells may hold any text."""
    from rich.table import Table
    from rich.text import Text

    class Plain(Table):
        def add_row(self, *cells: Any, **options: Any) -> None:
            """Text as it is, without markup."""
            super().add_row(*(Text(visible(cell)) if isinstance(cell, str) else cell for cell in cells), **options)

    return Plain(*titles, **{"box": None, "pad_edge": False, **options})


def plain_warnings() -> None:
    """From now on warnings are told in one line each, without the place in the code."""

    def in_a_line(message: Warning | str, category: type[Warning], *_: Any, **__: Any) -> str:
        return f"{category.__name__}: {visible_lines(str(message))}\n"

    warnings.formatwarning = in_a_line

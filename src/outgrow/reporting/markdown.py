"""The report's Markdown twin: the same words and tables, figures by link, everything escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from outgrow.reporting.page import environment
from outgrow.reporting.views import Cell, TableView

_SPECIAL = re.compile(r"[\\`*|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|\](?=[(\[:])")
_FIRST = re.compile(r"^(\d*)([-+=#]|(?<=\d)[.)])")


def render_markdown(template: str, context: Mapping[str, Any]) -> str:
    """A template filled in, with the filters `md`, `table` and `fence`."""
    loaded = environment(html=False)
    loaded.filters |= {"md": escape, "table": table_lines, "fence": fence}
    return re.sub(r"\n{3,}", "\n\n", loaded.get_template(template).render(**context))


def escape(text: str) -> str:
    """Text that stays text in Markdown and in the HTML made of it; line breaks become spaces."""
    return _FIRST.sub(r"\1\\\2", _inline(text))


def _inline(text: str) -> str:
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(lambda match: f"\\{match.group()}", flat)


def fence(text: str) -> str:
    """A code block whose fence is longer than any run of backticks in the text."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}yaml\n{text.rstrip()}\n{ticks}"


def table_lines(table: TableView) -> str:
    """A pipe table; a cell's badge and note follow its text."""
    lines = [
        [_inline(column.title) for column in table.columns],
        ["---:" if column.numeric else "---" for column in table.columns],
        *([_cell(cell) for cell in row.cells] for row in table.rows),
    ]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cell(cell: Cell) -> str:
    parts = (_inline(cell.text), f"*({cell.badge})*" if cell.badge else "", _inline(cell.note))
    return " ".join(part for part in parts if part)

"""The report's Markdown twin: the same words and tables, figures by link, everything escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from outgrow.reporting.checks import Check
from outgrow.reporting.figures.drawn import Shown
from outgrow.reporting.html import shared_context
from outgrow.reporting.run import RunFolder
from outgrow.reporting.views import TableView

_SPECIAL = re.compile(r"[\\`*|~$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|\](?=[(\[:])")
_FIRST = re.compile(r"^(\d*)([-+=#]|(?<=\d)[.)])")


def build_markdown(run: RunFolder, checks: Sequence[Check], figures: Mapping[str, Shown]) -> str:
    """The whole document; figures are linked as `figures/<key>.svg`, the table of answers is left to the page."""
    return render_markdown("report.md.j2", {**shared_context(run, checks), "drawn": figures})


def render_markdown(template: str, context: Mapping[str, Any]) -> str:
    """A template filled in, with the filters `md`, `table` and `fence`."""
    environment = Environment(
        loader=PackageLoader("outgrow.reporting", "templates"),
        autoescape=False,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"md": escape, "table": table_lines, "fence": fence}
    return re.sub(r"\n{3,}", "\n\n", environment.get_template(template).render(**context))


def escape(text: str) -> str:
    """Text that stays text in Markdown and in the HTML made of it; line breaks become spaces."""
    return _FIRST.sub(r"\1\\\2", _inline(text))


def _inline(text: str) -> str:
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _SPECIAL.sub(lambda found: f"\\{found.group()}", flat)


def fence(text: str) -> str:
    """A code block whose fence is longer than any run of backticks in the text."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    ticks = "`" * max(3, longest + 1)
    return f"{ticks}yaml\n{text.rstrip()}\n{ticks}"


def table_lines(table: TableView) -> str:
    """A pipe table; a cell's badge and note follow its text."""
    lines = [_line([_inline(column.title) for column in table.columns])]
    lines.append(_line(["---:" if column.numeric else "---" for column in table.columns]))
    for each in table.rows:
        cells = []
        for cell in each.cells:
            parts = [_inline(cell.text), f"*({cell.badge})*" if cell.badge else "", _inline(cell.note)]
            cells.append(" ".join(part for part in parts if part))
        lines.append(_line(cells))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"

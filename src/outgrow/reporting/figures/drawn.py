"""A figure once it is drawn, and how it becomes part of the page; without matplotlib.

Colours have a role, not a value: the page maps each to a CSS variable, so that one drawing serves light and dark.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

INK = "#22262b"
MUTED = "#6a727c"
LINE = "#dfe3e8"
PAPER = "#ffffff"
ON_COLOUR = "#fefefe"
METHOD = "#2563a8"
CONTROL = "#7b8490"
ORACLE = "#b27416"
RIGHT = "#2a8391"
WRONG = "#cf6138"

_VARIABLES = {
    INK: "--ink",
    MUTED: "--muted",
    LINE: "--line",
    PAPER: "--paper",
    ON_COLOUR: "--on-colour",
    METHOD: "--method",
    CONTROL: "--control",
    ORACLE: "--oracle",
    RIGHT: "--right",
    WRONG: "--wrong",
}
COLOUR_OF: dict[str, str] = {"method": METHOD, "control": CONTROL, "oracle": ORACLE}
MARKER_OF: dict[str, str] = {"method": "o", "control": "s", "oracle": "D"}


@dataclass(frozen=True, kw_only=True)
class Shown:
    """One figure of a report: its SVG file, and the words that go with it.

    `caption` says how to read it; `alt` says in one sentence what it shows to someone who cannot see it.
    """

    key: str
    title: str
    caption: str
    alt: str
    svg: str
    wide: bool = True


@dataclass(frozen=True, kw_only=True)
class Drawn(Shown):
    """A figure with its data."""

    data: pa.Table


def data_table(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> pa.Table:
    """A figure's data, row by row, under the names of the columns."""
    return pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True)))


def to_inline(drawn: Shown) -> str:
    """The SVG as part of a page: no XML prologue, ids of its own, colours as CSS variables, the page's font."""
    svg = drawn.svg[drawn.svg.index("<svg") :]
    svg = re.sub(r"<style type=\"text/css\">.*?</style>", "", svg, flags=re.DOTALL)
    svg = re.sub(r'\bid="([^"]+)"', rf'id="{drawn.key}-\1"', svg)
    svg = svg.replace("url(#", f"url(#{drawn.key}-").replace('xlink:href="#', f'xlink:href="#{drawn.key}-')
    svg = re.sub(r"(?<=: )#[0-9a-f]{6}(?=[;\"])", _as_variable, svg)
    svg = svg.replace("font-family: 'DejaVu Sans'", "font-family: inherit")
    return re.sub(r'<svg ([^>]*?)width="[^"]*" height="[^"]*"', r'<svg \1aria-hidden="true"', svg, count=1)


def _as_variable(match: re.Match[str]) -> str:
    name = _VARIABLES.get(match.group())
    return f"var({name})" if name else match.group()

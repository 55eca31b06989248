"""How every figure looks, and how it becomes SVG: once for its own file, once for inside the page.

Colours have a role, not a value: the page maps each to a CSS variable, so that one drawing serves light and
dark. Text stays text, so that figures can be searched, read aloud and restyled.
"""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib
import pyarrow as pa
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from outgrow.reporting.formatting import shorten

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

_SETTINGS: dict[str, Any] = {
    "svg.hashsalt": "outgrow",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.family": ["DejaVu Sans"],
    "font.size": 8.5,
    "axes.titlesize": 8.5,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8.5,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.titlecolor": INK,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.spines.left": False,
    "axes.axisbelow": True,
    "axes.grid": False,
    "grid.color": LINE,
    "grid.linewidth": 0.7,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": INK,
    "xtick.major.size": 3,
    "ytick.major.size": 0,
    "figure.facecolor": PAPER,
    "savefig.facecolor": PAPER,
    "lines.linewidth": 1.5,
    "lines.solid_capstyle": "round",
    "patch.linewidth": 0,
    "legend.frameon": False,
    "legend.fontsize": 8,
}


@dataclass(frozen=True)
class Drawn:
    """One figure: its SVG file, its data, and the words that go with it.

    `caption` says how to read it; `alt` says in one sentence what it shows to someone who cannot see it.
    """

    key: str
    title: str
    caption: str
    alt: str
    svg: str
    data: pa.Table
    wide: bool = True


@contextmanager
def house_style() -> Iterator[None]:
    """Our settings on top of matplotlib's own defaults, whatever the user's matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(_SETTINGS)  # type: ignore[arg-type]
        yield


def canvas(width: float, height: float, *, fitted: bool = True) -> Figure:
    """An empty figure of the given size in inches, with no global state behind it; `fitted` makes room for labels."""
    return Figure(figsize=(width, height), layout="constrained" if fitted else None)


def to_svg(figure: Figure) -> str:
    """The figure as an SVG file: the same drawing gives the same bytes, without date or version."""
    buffer = io.StringIO()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # text is text: the reader's font has it
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    svg = buffer.getvalue()
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    return re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path.group()), svg)


def to_inline(drawn: Drawn) -> str:
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


def label(text: str, limit: int = 32) -> str:
    """User text as a label: one line, no control characters, no longer than `limit` characters."""
    visible = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)
    return shorten(" ".join(visible.split()) or "(empty)", limit)


def heading(axes: Axes, text: str) -> None:
    """An axis title set flush left above the plot, where it reads without turning the head."""
    axes.set_title(text, loc="left", color=MUTED, pad=8)


def clear_y(axes: Axes) -> None:
    """No y axis at all."""
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)

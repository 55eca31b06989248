"""How every figure looks, and how it becomes SVG, whose text stays text: it can be searched, read aloud, restyled."""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from outgrow.reporting.figures.drawn import COLOUR_OF, INK, LINE, MARKER_OF, MUTED, PAPER
from outgrow.reporting.formatting import share, shorten

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


def label(text: str, limit: int = 32) -> str:
    """User text as a label: one line, no control characters, no longer than `limit` characters."""
    visible = "".join(" " if unicodedata.category(c) in ("Cc", "Zl", "Zp") else c for c in text)
    return shorten(" ".join(visible.split()) or "(empty)", limit)


def dot(axes: Axes, x: float, y: int | float, kind: str, **style: Any) -> None:
    """A mark of the arm's kind; that of an oracle, which saw gold, is hollow."""
    colour = COLOUR_OF.get(kind, INK)
    face = PAPER if kind == "oracle" else colour
    axes.plot([x], [y], marker=MARKER_OF.get(kind, "o"), color=colour, markerfacecolor=face, **style)


def in_shares(axis: Axis) -> None:
    """Ticks at tenths, fifths or halves, written as shares with one digit, whole numbers with none."""
    axis.set_major_locator(MaxNLocator(nbins=7, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(lambda x, _: share(x, 0 if round(x, 6).is_integer() else 1))


def heading(axes: Axes, text: str) -> None:
    """An axis title set flush left above the plot, where it reads without turning the head."""
    axes.set_title(text, loc="left", color=MUTED, pad=8)


def clear_y(axes: Axes) -> None:
    """No y axis at all."""
    axes.set_yticks([])
    axes.spines["left"].set_visible(False)


def panels_in_rows(count: int) -> tuple[Figure, list[Axes]]:
    """A figure of so many panels with one y axis, three in a row."""
    columns = min(count, 3)
    rows = -(-count // columns)
    figure = canvas(max(4.2, 3.1 * columns), 2.9 * rows + 0.4)
    panels = [axes for row in figure.subplots(rows, columns, sharey=True, squeeze=False) for axes in row]
    for axes in panels[count:]:
        axes.set_axis_off()
    return figure, panels[:count]

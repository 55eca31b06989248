"""What every page has in common: templates, assets, and the hash of the one script that may run."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Any, NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from outgrow.reporting.figures.drawn import Shown, to_inline


class Pages(NamedTuple):
    """A report: the page and its Markdown twin."""

    html: str
    markdown: str


def environment(*, html: bool) -> Environment:
    """The templates; those of pages escape everything they are given."""
    return Environment(
        loader=PackageLoader("outgrow.reporting", "templates"),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_page(
    template: str, context: Mapping[str, Any], *, scripts: Sequence[str], styles: Sequence[str] = ("report.css",)
) -> str:
    """A page filled in, with `css`, `script` and the script's hash for its content security policy."""
    loaded = environment(html=True)
    loaded.filters["breakable"] = breakable
    script = "".join(map(_asset, scripts))
    return loaded.get_template(template).render(
        **context,
        css=Markup("".join(map(_asset, styles))),
        script=Markup(script),
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def breakable(text: str) -> Markup:
    """The text, escaped, with a place to break after every underscore."""
    return Markup(escape(text).replace("_", Markup("_<wbr>")))


def figure_context(figures: Mapping[str, Shown], data: Mapping[str, bytes]) -> dict[str, Any]:
    """The figures inside a page, and each one's CSV file as a link that needs no file."""
    return {
        "figures": {key: Markup(to_inline(figure)) for key, figure in figures.items()},
        "links": {
            key: "data:text/csv;charset=utf-8;base64," + base64.b64encode(content).decode()
            for key, content in data.items()
        },
    }


def packed(payload: Any) -> Markup:
    """JSON, compressed (gzip) and in letters and digits (base64), so that nothing in it means anything to HTML.

    `shared.unpack` of the page's script takes it apart again. The same payload gives the same text.
    """
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(base64.b64encode(gzip.compress(text.encode(), mtime=0)).decode())


def _asset(name: str) -> str:
    return resources.files("outgrow.reporting").joinpath("templates", name).read_text(encoding="utf-8")

"""What every page has in common: templates, assets, and the hash of the one script that may run."""

from __future__ import annotations

import base64
import hashlib
import json
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape


def breakable(text: str) -> Markup:
    """The text, escaped, with a place to break after every underscore."""
    return Markup(escape(text).replace("_", Markup("_<wbr>")))


def environment() -> Environment:
    """Templates that escape everything they are given."""
    found = Environment(
        loader=PackageLoader("outgrow.reporting", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found.filters["breakable"] = breakable
    return found


def assets(styles: tuple[str, ...], scripts: tuple[str, ...]) -> dict[str, Any]:
    """`css`, `script` and the script's hash for the page's content security policy."""
    script = "".join(map(_asset, scripts))
    return {
        "css": Markup("".join(map(_asset, styles))),
        "script": Markup(script),
        "script_hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    }


def to_json_for_script(payload: Any) -> str:
    """JSON that is safe inside a script element: no character that could end it, open a comment or break a line."""
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for character in "<>&\u2028\u2029":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _asset(name: str) -> str:
    return resources.files("outgrow.reporting").joinpath("templates", name).read_text(encoding="utf-8")

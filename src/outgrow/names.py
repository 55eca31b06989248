"""Names that YAML and the command line need: suggestions for a wrong one, and objects loaded by `module:attr`."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from importlib import import_module
from typing import Any


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name` (case aside), or None when nothing is near."""
    by_folded = {other.casefold(): other for other in known}
    found = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """The nearest known name as the end of a message, or an empty string when nothing is near."""
    near = closest(name, known)
    return f"; did you mean '{near}'?" if near else ""


def unknown(what: str, name: str, known: Iterable[str]) -> str:
    """The message for a name that is not known: the name, the nearest one, and the whole list."""
    names = list(known)
    return f"unknown {what} '{name}'{did_you_mean(name, names) or '.'} Known: {', '.join(names)}"


def import_attr(path: str) -> Any:
    """The object at `package.module:attribute`, imported only now."""
    module, _, attribute = path.partition(":")
    return getattr(import_module(module), attribute)

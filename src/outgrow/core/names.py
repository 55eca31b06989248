"""Names that YAML and the command line need: suggestions for a wrong one, and objects loaded by `module:attr`."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from typing import Any

from outgrow.core.errors import PrerequisiteError


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name` (case aside), or None when nothing is near."""
    by_folded = {other.casefold(): other for other in known}
    near = difflib.get_close_matches(name.casefold(), by_folded, n=1, cutoff=0.6)
    return by_folded[near[0]] if near else None


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


def resolve(value: Any) -> Any:
    """`value` itself, or what it names where it is a `module:attribute`."""
    return import_attr(value) if isinstance(value, str) else value


def lazily(package: str, modules: Mapping[str, Iterable[str]]) -> Callable[[str], Any]:
    """The `__getattr__` of a package some of whose names need torch: they are imported when they are first used.

    Args:
        package: its `__name__`.
        modules: its modules, each with the names that come from it.

    Returns:
        A function that raises AttributeError where the package has no such name, and PrerequisiteError where the extra
        `train` is not installed.
    """
    homes = {name: f"{package}.{module}" for module, names in modules.items() for name in names}

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            return getattr(import_module(homes[name]), name)
        except ModuleNotFoundError as error:
            raise PrerequisiteError(
                f'models need the extra "train" ({error}); install it: pip install "outgrow[train]"'
            ) from error

    return find

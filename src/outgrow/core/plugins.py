"""Plugin files: Python files outside any package that register methods, tasks and the like.

A file runs once per content, as a module of its own. Recipes that travel to other processes take the files' content
along (`outgrow.recipe.recipe`), so that workers see what the process that sent them has seen, also where the file is
not or has changed since.
"""

from __future__ import annotations

import re
import sys
import traceback
from pathlib import Path
from types import ModuleType

from outgrow.core.errors import ConfigError
from outgrow.core.registry import LOADING, PLUGIN_MODULES, Origin, in_a_line, registries

_FILES: dict[str, bytes] = {}


def load_plugin(path: str | Path) -> None:
    """Run a plugin file, unless this process has run it already with the same content.

    Raises:
        ConfigError: it is not there, fails, or registers nothing.
    """
    place = Path(path).absolute()
    try:
        content = place.read_bytes()
    except OSError as error:
        raise ConfigError(f"plugin '{path}' cannot be read: {error.strerror or error}; give a Python file") from None
    _run(str(place), content)


def loaded_plugins() -> tuple[tuple[str, bytes], ...]:
    """Path and content of every plugin file that this process has run, in that order."""
    return tuple(_FILES.items())


def restore_plugins(files: tuple[tuple[str, bytes], ...]) -> None:
    """Run the plugin files of another process, those that this one has not run.

    Raises:
        ConfigError: as `load_plugin`.
    """
    for path, content in files:
        _run(path, content)


def _run(path: str, content: bytes) -> None:
    if _FILES.get(path) == content:
        return
    origin = Origin.of_file(path, content)
    name = f"outgrow_plugin_{re.sub(r'[^0-9A-Za-z]', '_', Path(path).stem)}_{origin.sha256[:12]}"
    _forget(path)
    module = ModuleType(name)
    module.__file__ = path
    sys.modules[name], PLUGIN_MODULES[name] = module, origin
    token = LOADING.set(origin)
    try:
        exec(compile(content, path, "exec", dont_inherit=True), module.__dict__)
        if not any(entry.origin.path == path for registry in registries() for entry in registry.entries()):
            raise ConfigError("it registers nothing; call outgrow.register with what it brings")
    except Exception as error:
        _forget(path)
        del sys.modules[name], PLUGIN_MODULES[name]
        why = str(error) if isinstance(error, ConfigError) else f"{in_a_line(error)}{_line(error, path)}"
        raise ConfigError(f"plugin '{path}' cannot be loaded: {why}") from error
    finally:
        LOADING.reset(token)
    _FILES[path] = content


def _forget(path: str) -> None:
    """Drop what an earlier content of the file has brought."""
    _FILES.pop(path, None)
    for registry in registries():
        registry.forget(path)


def _line(error: Exception, path: str) -> str:
    """Where in the file an error was raised, as the end of a message."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == path]
    return f" (line {lines[-1]})" if lines else ""

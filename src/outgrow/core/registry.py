"""Names of methods, tasks, objectives, supervisors and metrics: ours, those of installed packages, those of a file."""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Callable, Iterator, Mapping, MutableMapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel

from outgrow.core.errors import ConfigError
from outgrow.core.names import resolve, unknown


@runtime_checkable
class Named(Protocol):
    """What a registry holds: a specification under a name."""

    @property
    def name(self) -> str:
        """As recipes and the command line say it."""
        ...


@dataclass(frozen=True)
class KindSpec:
    """A kind as YAML names it, with the configuration it is given.

    Attributes:
        kind: the name.
        doc: one line for people.
        config: its frozen pydantic model, or `module:attr` of it.
    """

    kind: str
    doc: str
    config: str | type[BaseModel]

    @property
    def name(self) -> str:
        """The kind."""
        return self.kind

    def config_model(self) -> type[BaseModel]:
        """The configuration model, imported now."""
        model: type[BaseModel] = resolve(self.config)
        return model


T = TypeVar("T", bound=Named)


@dataclass(frozen=True)
class Origin:
    """Who brought an entry: this package, an installed package, a file, or code typed into a session.

    Attributes:
        name: of the package or the file.
        version: of the package; empty for a file.
        sha256: of the file's content; empty for a package.
        path: where the file was read.
    """

    name: str
    version: str = ""
    sha256: str = ""
    path: str = field(default="", compare=False)

    @classmethod
    def of_file(cls, path: str, content: bytes) -> Origin:
        """A file of that content."""
        return cls(Path(path).name, sha256=hashlib.sha256(content).hexdigest(), path=path)

    @classmethod
    def of_module(cls, name: str) -> Origin:
        """Who brought the code of an imported module."""
        top = name.partition(".")[0]
        if top == OURS.name:
            return OURS
        if name in PLUGIN_MODULES:
            return PLUGIN_MODULES[name]
        for point, origin in (pair for what in WHATS for pair in installed(group_of(what))):
            if point.module.partition(".")[0] == top:
                return origin
        path = getattr(sys.modules.get(name), "__file__", None)
        return cls.of_file(path, Path(path).read_bytes()) if path and Path(path).is_file() else SESSION

    def __str__(self) -> str:
        return self.path or f"{self.name} {self.version}".strip()

    def identity(self) -> dict[str, str]:
        """What the key of a step says of code that decides its numbers: nothing for ours, whose steps have versions."""
        if self == OURS:
            return {}
        given = {"package": self.name, "version": self.version} if self.version else {"file": self.name}
        return {**given, "sha256": self.sha256} if self.sha256 else given


OURS = Origin("outgrow")
SESSION = Origin("this program")
WHATS = ("method", "task", "objective", "supervisor", "metric", "study")
"""What there are registries of."""


def group_of(what: str) -> str:
    """The group of entry points of a registry: `outgrow.methods`, `outgrow.studies`."""
    return f"outgrow.{what.removesuffix('y')}ies" if what.endswith("y") else f"outgrow.{what}s"


PLUGIN_MODULES: dict[str, Origin] = {}
"""Modules made of plugin files (`outgrow.core.plugins`)."""
LOADING: ContextVar[Origin | None] = ContextVar("LOADING", default=None)
"""Whose code is being imported, so that what it registers is known to be theirs."""


@dataclass(frozen=True)
class Entry(Generic[T]):
    """One name of a registry.

    Attributes:
        name: in recipes.
        origin: who brought it.
        load: its specification, imported now; raises `ConfigError` where that fails.
    """

    name: str
    origin: Origin
    load: Callable[[], T]

    def identity(self) -> dict[str, str]:
        """As `Origin.identity`."""
        return self.origin.identity()


class Registry(MutableMapping[str, T]):
    """Specifications by name. Installed packages are looked through once, when a name that is not ours is wanted.

    As a mapping it has all names; a value is imported when it is taken, so that a package that is broken disturbs
    nobody who does not use it.

    Args:
        what: what an entry is, in words ("method"); entry points are those of the group `group_of(what)`.
        kind: the class of the specifications.
        ours: the names that ship with this package, each with its specification or `module:attribute` of it.
    """

    def __init__(self, what: str, kind: type[Any], ours: Mapping[str, T | str]) -> None:
        self.what, self.kind, self.group = what, kind, group_of(what)
        self.clashes: dict[str, str] = {}
        self._entries = {name: Entry(name, OURS, partial(resolve, value)) for name, value in ours.items()}
        self._complete = False
        _REGISTRIES.append(self)

    def __getitem__(self, name: str) -> T:
        return self.entry(name).load()

    def __setitem__(self, name: str, spec: T) -> None:
        """Put a specification in the place of another, as a test does; `register` refuses names that are taken."""
        origin = self._entries[name].origin if name in self else SESSION
        self._entries[name] = Entry(name, origin, lambda: spec)

    def __delitem__(self, name: str) -> None:
        del self._entries[name]

    def __contains__(self, name: object) -> bool:
        if name not in self._entries:
            self._look()
        return name in self._entries

    def __iter__(self) -> Iterator[str]:
        self._look()
        return iter(self._entries)

    def __len__(self) -> int:
        self._look()
        return len(self._entries)

    def entry(self, name: str) -> Entry[T]:
        """The entry of that name.

        Raises:
            KeyError: there is none.
            ConfigError: two packages have one of that name.
        """
        if name not in self:
            raise KeyError(name)
        found = self._entries[name]
        if name in self.clashes and found.origin != OURS:
            raise ConfigError(self.clashes[name])
        return found

    def entries(self) -> tuple[Entry[T], ...]:
        """Every entry, ours first, then those of packages by name, then what files brought."""
        self._look()
        return tuple(self._entries.values())

    def loaded(self) -> tuple[dict[str, T], dict[str, str]]:
        """Every specification that can be imported, by name; and why each other one cannot, or has a rival."""
        good, bad = dict[str, T](), dict[str, str]()
        for entry in self.entries():
            try:
                good[entry.name] = self[entry.name]
            except ConfigError as error:
                bad[entry.name] = str(error)
        return good, {**bad, **self.clashes}

    def require(self, name: str) -> T:
        """The specification of that name.

        Raises:
            ConfigError: it is not known (with the nearest name and the list), or cannot be imported.
        """
        if name not in self:
            raise ConfigError(unknown(self.what, name, self))
        return self[name]

    def add(self, spec: T, origin: Origin) -> None:
        """Take up a specification; an entry of the same file or session is replaced.

        Raises:
            ConfigError: the name is taken.
        """
        if spec.name in self:
            there = self._entries[spec.name].origin
            if there.path != origin.path or there.version or there == OURS:
                raise ConfigError(_twice(self.what, spec.name, there, origin))
        self._entries[spec.name] = Entry(spec.name, origin, lambda: spec)

    def forget(self, path: str) -> None:
        """Drop what the file at `path` brought."""
        self._entries = {name: entry for name, entry in self._entries.items() if entry.origin.path != path}

    def _look(self) -> None:
        if self._complete:
            return
        self._complete = True
        for point, origin in installed(self.group):
            if point.name in self._entries:
                there = self._entries[point.name].origin
                self.clashes[point.name] = _twice(self.what, point.name, there, origin)
            else:
                self._entries[point.name] = Entry(point.name, origin, partial(self._import, point, origin))

    def _import(self, point: EntryPoint, origin: Origin) -> T:
        what = f"{self.what} '{point.name}' of {origin}"
        token = LOADING.set(origin)
        try:
            spec: T = point.load()
        except Exception as error:
            raise ConfigError(f"{what} cannot be imported from {point.value}: {in_a_line(error)}") from error
        finally:
            LOADING.reset(token)
        if not isinstance(spec, self.kind):
            raise ConfigError(f"{what}: {point.value} is a {type(spec).__name__}, not a {self.kind.__name__}")
        if spec.name != point.name:
            raise ConfigError(f"{what} calls itself '{spec.name}'; its entry point must have the same name")
        return spec


_REGISTRIES: list[Registry[Any]] = []


def registries() -> tuple[Registry[Any], ...]:
    """Those that have been imported so far."""
    return tuple(_REGISTRIES)


@cache
def installed(group: str) -> tuple[tuple[EntryPoint, Origin], ...]:
    """Entry points of a group, by package and name."""
    points = [(point, point.dist) for point in entry_points(group=group)]
    pairs = [(point, Origin(dist.name, dist.version)) for point, dist in points if dist is not None]
    return tuple(sorted(pairs, key=lambda pair: (pair[1].name, pair[0].name)))


def register(spec: Named) -> None:
    """Make a method, task, objective, supervisor or metric known by its name.

    A file given by `--plugin` or a recipe's `plugins` calls this; so may a script, at its top level where worker
    processes find it too. An installed package names its specifications as entry points instead.

    Args:
        spec: a `MethodSpec`, `TaskSpec`, `ObjectiveSpec`, `SupervisorSpec` or `MetricSpec`.

    Raises:
        ConfigError: it is none of these, or its name is taken.
    """
    for registry in _REGISTRIES:
        if isinstance(spec, registry.kind):
            caller = sys._getframe(1).f_globals.get("__name__", "")
            registry.add(spec, LOADING.get() or Origin.of_module(caller))
            return
    kinds = ", ".join(registry.kind.__name__ for registry in _REGISTRIES)
    raise ConfigError(f"register takes one of {kinds or 'the specifications'}, not a {type(spec).__name__}")


def registered_here() -> bool:
    """Whether this program has registered something itself: neither an installed package nor a plugin file."""
    origins = {entry.origin for registry in _REGISTRIES for entry in registry.entries()} - {OURS}
    return any(not origin.version and origin not in PLUGIN_MODULES.values() for origin in origins)


def code_identity(value: object) -> dict[str, str]:
    """`Origin.identity` of whoever wrote the class of `value`."""
    return Origin.of_module(type(value).__module__).identity()


def in_a_line(error: BaseException) -> str:
    """An exception's class and the first line of its message."""
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def _twice(what: str, name: str, first: Origin, second: Origin) -> str:
    return f"{what} '{name}' is registered twice, by {first} and by {second}; rename one of them or leave it out"

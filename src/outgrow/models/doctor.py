"""What decides what runs here: versions, extras, models and the machine."""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

from outgrow import __version__
from outgrow.models.files import available

CORE = ""
"""What the core install is called among the extras."""
WORKSHOP = ("bench", "docs", "test")
"""Extras of those who work on outgrow: what only they need is not imported."""


def requirements() -> dict[str, list[Requirement]]:
    """What every extra needs, what it needs through other extras included; the core under an empty name."""
    extras = [CORE, *(metadata.metadata("outgrow").get_all("Provides-Extra") or [])]
    return {extra: list(_needed(Requirement(f"outgrow[{extra}]" if extra else "outgrow"))) for extra in extras}


def _needed(requirement: Requirement) -> Iterator[Requirement]:
    """The requirement, and what its extras add; of outgrow without any, what the core needs."""
    if requirement.name != "outgrow":
        yield requirement
    extras = requirement.extras or ({CORE} if requirement.name == "outgrow" else set())
    with suppress(metadata.PackageNotFoundError):
        for inner in map(Requirement, metadata.requires(requirement.name) or []):
            if any(_adds(extra, inner) for extra in extras):
                yield from _needed(inner)


def _adds(extra: str, requirement: Requirement) -> bool:
    marker = requirement.marker
    without = marker is None or marker.evaluate({"extra": CORE})
    return without if extra == CORE else not without and marker is not None and marker.evaluate({"extra": extra})


def version_of(package: str) -> str | None:
    """Installed version, or None."""
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def memory_gib() -> float:
    """Memory of the machine in GiB; NaN where the system does not say."""
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    except (AttributeError, ValueError, OSError):
        return float("nan")


def devices() -> list[str]:
    """Accelerators that torch sees; empty without torch."""
    try:
        import torch
    except ImportError as error:
        return [] if version_of("torch") is None else [f"not known: {error}"]
    if torch.cuda.is_available():
        return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ["Apple MPS"] if torch.backends.mps.is_available() else []


IMPORTS = """
import importlib, json, sys, warnings
warnings.simplefilter("ignore")
told, sys.stdout = sys.stdout, sys.stderr
for name in sys.argv[1:]:
    try:
        importlib.import_module(name)
        why = ""
    except BaseException as error:
        why = f"{type(error).__name__}: {error}"
    print(json.dumps([name, why]), file=told, flush=True)
"""


def broken(modules: Iterable[str]) -> dict[str, str]:
    """Why modules cannot be imported; tried in a process of their own, which may end on the way."""
    found: dict[str, str] = {}
    rest = list(modules)
    while rest:
        done = subprocess.run([sys.executable, "-c", IMPORTS, *rest], capture_output=True, text=True, check=False)
        told = dict(map(json.loads, done.stdout.splitlines()))
        found |= {name: why.splitlines()[0] for name, why in told.items() if why}
        rest = rest[len(told) :]
        if rest:
            found[rest.pop(0)] = f"ends Python with status {done.returncode}"
    return found


def _modules() -> dict[str, str]:
    """The module to import of every installed package, by the package's plain name."""
    found: dict[str, list[str]] = {}
    for module, packages in metadata.packages_distributions().items():
        for package in packages if module.isidentifier() and not module.startswith("_") else ():
            found.setdefault(_plain(package), []).append(module)
    return {name: name if name in modules else min(modules) for name, modules in found.items()}


def _plain(package: str) -> str:
    return re.sub(r"[-_.]+", "-", package).lower()


def extra(name: str, needed: Sequence[Requirement], faults: Mapping[str, str]) -> str:
    """Whether an extra is installed, in words: what is broken, missing or of another version, and what is there.

    Args:
        name: the extra's.
        needed: its requirements.
        faults: why packages, by plain name, cannot be imported.
    """
    versions = {each.name: (version_of(each.name), each.specifier) for each in needed}
    there = {package: version for package, (version, _) in versions.items() if version is not None}
    install = "" if name == CORE else f' (pip install "outgrow[{name}]")'
    if not there:
        return f"not installed{install}"
    faulty = {package: faults[_plain(package)] for package in there if _plain(package) in faults}
    parts = {
        "broken": [f"{package} ({why})" for package, why in faulty.items()],
        "missing": [package for package in versions if package not in there],
        "another version": [
            f"{package} {version} (needs {wanted})"
            for package, (version, wanted) in versions.items()
            if version is not None and not wanted.contains(version, prereleases=True)
        ],
    }
    told = "; ".join(f"{what}: {', '.join(names)}" for what, names in parts.items() if names)
    known = ", ".join(f"{package} {version}" for package, version in there.items() if package not in faulty)
    return f"{told}{install}" + f"; there: {known}" * bool(known) if told else f"installed: {known}"


def doctor() -> dict[str, str]:
    """The facts that decide what runs here, by what they are about: versions, the machine, each extra, the models."""
    facts = {
        "outgrow": __version__,
        "python": f"{platform.python_version()} ({sys.executable})",
        "platform": platform.platform(),
        "cores, memory": f"{os.cpu_count()} cores, {memory_gib():.1f} GiB",
        "accelerators": ", ".join(devices()) or "none",
        "disk": f"{shutil.disk_usage(Path.cwd()).free / 2**30:.1f} GiB free in the current folder",
    }
    needed, modules = requirements(), _modules()
    names = {_plain(each.name) for extra, own in needed.items() if extra not in WORKSHOP for each in own}
    why = broken(sorted(modules[name] for name in names if name in modules))
    faults = {name: why[module] for name, module in modules.items() if module in why}
    facts |= {f"extra {name}" if name else "core": extra(name, own, faults) for name, own in needed.items()}
    return {**facts, "models": ", ".join(available()) or "none shipped"}

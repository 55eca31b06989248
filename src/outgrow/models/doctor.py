"""What decides what runs here: versions, extras, models and the machine."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path

from outgrow import __version__
from outgrow.models.files import available


def requirements() -> dict[str, list[str]]:
    """Package names by extra; the core's under an empty name."""
    packages: dict[str, list[str]] = {"": []}
    for line in metadata.requires("outgrow") or []:
        package = re.match(r"[\w.-]+", line)
        extra = re.search(r"""extra\s*==\s*['"]([\w-]+)""", line)
        if package and package.group() != "outgrow":
            packages.setdefault(extra.group(1) if extra else "", []).append(package.group())
    return packages


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
    if version_of("torch") is None:
        return []
    import torch

    if torch.cuda.is_available():
        return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]
    return ["Apple MPS"] if torch.backends.mps.is_available() else []


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
    for extra, packages in requirements().items():
        versions = {package: version_of(package) for package in packages}
        missing = [package for package, version in versions.items() if version is None]
        known = ", ".join(f"{package} {version}" for package, version in versions.items() if version)
        text = f"{known}; missing: {', '.join(missing)}" if missing and known else known or "not installed"
        if missing and extra:
            text += f' (pip install "outgrow[{extra}]")'
        facts[f"extra {extra}" if extra else "core"] = text
    return {**facts, "models": ", ".join(available()) or "none shipped"}

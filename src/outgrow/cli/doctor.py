"""The verb `doctor`: versions, extras, models and the machine."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from importlib import metadata
from pathlib import Path


def requirements() -> dict[str, list[str]]:
    """Package names by extra; the core's under an empty name."""
    names: dict[str, list[str]] = {"": []}
    for line in metadata.requires("outgrow") or []:
        package = re.match(r"[\w.-]+", line)
        extra = re.search(r"""extra\s*==\s*['"]([\w-]+)""", line)
        if package and package.group() != "outgrow":
            names.setdefault(extra.group(1) if extra else "", []).append(package.group())
    return names


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


def doctor() -> None:
    """Show versions, extras, models and the machine."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from outgrow import __version__
    from outgrow.models.files import available

    table = Table("what", "found", box=None, pad_edge=False)
    table.add_row("outgrow", __version__)
    table.add_row("python", f"{platform.python_version()} ({sys.executable})")
    table.add_row("platform", platform.platform())
    table.add_row("cores, memory", f"{os.cpu_count()} cores, {memory_gib():.1f} GiB")
    table.add_row("accelerators", ", ".join(devices()) or "none")
    free = shutil.disk_usage(Path.cwd()).free / 2**30
    table.add_row("disk", f"{free:.1f} GiB free in the current folder")
    for extra, packages in requirements().items():
        versions = {package: version_of(package) for package in packages}
        missing = [package for package, version in versions.items() if version is None]
        known = ", ".join(f"{package} {version}" for package, version in versions.items() if version)
        facts = f"{known}; missing: {', '.join(missing)}" if missing and known else known or "not installed"
        if missing and extra:
            facts += f' (pip install "outgrow[{extra}]")'
        table.add_row(f"extra {extra}" if extra else "core", escape(facts))
    table.add_row("models", ", ".join(available()) or "none shipped")
    Console().print(table)

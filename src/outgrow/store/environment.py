"""Where a result was made: library versions, Python, platform, hardware and the revision of this package's code."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import outgrow
from outgrow.store.keys import canonical_json

LIBRARIES = (
    "outgrow",
    "numpy",
    "pyarrow",
    "scipy",
    "scikit-learn",
    "torch",
    "transformers",
    "tokenizers",
    "peft",
    "accelerate",
    "safetensors",
)


def environment() -> dict[str, Any]:
    """The fields `versions`, `python`, `platform`, `hardware` and `git` of a manifest.

    `hardware` has cores, cpu and gpu, and ranks where there are several.

    Graphics cards are listed only when this process has loaded torch: a step that has not cannot have used one.
    """
    hardware: dict[str, Any] = {"cores": os.cpu_count() or 1, "cpu": cpu_name(), "gpu": _gpus()}
    if (ranks := int(os.environ.get("WORLD_SIZE") or 1)) > 1:
        hardware["ranks"] = ranks  # sums over ranks differ in their last bits
    return {
        "versions": dict(_versions()),
        "python": platform.python_version(),
        "platform": platform.platform(),
        "hardware": hardware,
        "git": git_revision(),
    }


def environment_id(fields: Mapping[str, Any]) -> str:
    """12 hex digits that two environments share if versions, Python and hardware are equal.

    Args:
        fields: an `environment()` or a manifest, which holds the same fields.
    """
    text = canonical_json([fields["versions"], fields["python"], fields["hardware"]])
    return hashlib.sha256(text.encode("ascii")).hexdigest()[:12]


@lru_cache(maxsize=1)
def _versions() -> tuple[tuple[str, str], ...]:
    found = []
    for name in LIBRARIES:
        try:
            found.append((name, importlib.metadata.version(name)))
        except importlib.metadata.PackageNotFoundError:
            continue
    return tuple(found)


@lru_cache(maxsize=1)
def cpu_name() -> str:
    """What the processor is called."""
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "replace")
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _gpus() -> list[str]:
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_available():
        return []
    return [torch.cuda.get_device_name(i) for i in range(torch.cuda.device_count())]


@lru_cache(maxsize=1)
def git_revision() -> str | None:
    """The commit of the checkout that this package runs from, `-dirty` appended if files differ; None if none.

    A package installed inside somebody else's checkout has no revision: its files must be tracked by git.
    """
    folder = Path(outgrow.__file__).resolve().parent
    plain = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    git = ["git", "--no-optional-locks", "-C", str(folder)]
    options: dict[str, Any] = {"capture_output": True, "text": True, "env": plain, "check": True, "timeout": 10}
    try:
        subprocess.run([*git, "ls-files", "--error-unmatch", "core/errors.py"], **options)
        described = subprocess.run([*git, "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"], **options)
    except (OSError, subprocess.SubprocessError):
        return None
    return str(described.stdout).strip() or None

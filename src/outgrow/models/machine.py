"""What torch may use here, asked without importing torch where that can be avoided: importing takes seconds."""

from __future__ import annotations

import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from outgrow.core.errors import PrerequisiteError


def threads(count: int) -> None:
    """Use `count` threads in this process; part of what decides the numbers.

    Where torch is not loaded yet nothing is set: `StepRunner.load`, which loads it, calls this again.

    Raises:
        PrerequisiteError: torch is not installed.
    """
    if find_spec("torch") is None:
        raise PrerequisiteError(
            "running an experiment needs torch and transformers; install them with: pip install 'outgrow[train]'"
        )
    torch = sys.modules.get("torch")
    if torch is not None and torch.get_num_threads() != count:
        torch.set_num_threads(count)


def has_cuda() -> bool:
    """Whether torch is there and has a graphics card; a build for processors alone is known by its version."""
    if "torch" not in sys.modules and _built_for_cpu():
        return False
    import torch

    return torch.cuda.is_available()


def _built_for_cpu() -> bool:
    try:
        return version("torch").endswith("+cpu")
    except PackageNotFoundError:  # where it is there all the same, it knows best itself
        return find_spec("torch") is None

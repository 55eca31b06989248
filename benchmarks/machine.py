"""The machine a benchmark ran on: what it is, how fast it can be, and how much memory a piece of work takes."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import resource
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

COMPARED = (
    "outgrow", "torch", "transformers", "trl", "peft", "accelerate", "tokenizers", "lm_eval", "crowd-kit", "pandas",
    "polars", "duckdb", "numpy", "pyarrow",
)  # fmt: skip
SIZES = ((1024, 768, 3072), (2048, 768, 3072), (2048, 3072, 768), (2048, 2048, 2048))


def facts() -> dict[str, Any]:
    """CPU, cores and memory; no names of hosts, users or folders."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text(encoding="utf-8").splitlines() if info.is_file() else []
    model = next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), "")
    flags = next((set(line.split(":", 1)[1].split()) for line in lines if line.startswith("flags")), set())
    pages = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": model or platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "memory_gib": round(pages / 2**30, 1),
        "bfloat16": sorted(flags & {"avx512_bf16", "amx_bf16"}),
        "system": platform.system(),
        "python": platform.python_version(),
    }


def slow_bfloat16(device: str) -> bool:
    """Whether bfloat16 is only emulated: an x86 processor without instructions for it."""
    return device == "cpu" and platform.machine() in ("x86_64", "AMD64") and not facts()["bfloat16"]


def versions() -> dict[str, str]:
    """Versions of every library that takes part."""
    found = {}
    for name in COMPARED:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def ceiling(device: str = "cpu", repeats: int = 6, sizes: tuple[tuple[int, int, int], ...] = SIZES) -> dict[str, float]:
    """Best of several: matrix products (GFLOP/s, by type), and a large copy (GB/s, read and written).

    Emulated bfloat16 is left out: it took half an hour.
    """
    import torch

    if device == "cuda":
        sizes = ((8192, 8192, 8192), (16384, 4096, 4096))
    found = {}
    with torch.inference_mode():
        for dtype in (torch.float32,) if slow_bfloat16(device) else (torch.float32, torch.bfloat16):
            best = 0.0
            for m, k, n in sizes:
                one, two = torch.randn(m, k, device=device).to(dtype), torch.randn(k, n, device=device).to(dtype)
                best = max(best, 2e-9 * m * k * n / _best(lambda one=one, two=two: one @ two, repeats, device))
            found[str(dtype).removeprefix("torch.")] = round(best, 1)
        numbers = torch.ones((64 if device == "cpu" else 512) * 2**20, device=device)
        other = torch.empty_like(numbers)
        found["copy_gb_s"] = round(2e-9 * numbers.nbytes / _best(lambda: other.copy_(numbers), repeats, device), 1)
    return found


def product(dtype: str, device: str = "cpu", *, quick: bool = False) -> float:
    """Seconds of 10^9 operations in matrix products of the best of `SIZES`, on average over a third of a second each.

    Taken in turns with other work it is the ceiling of the same minutes, which on a shared machine may be well below
    that of the best moment.
    """
    import torch

    kind, found = getattr(torch, dtype), []
    sizes = ((64, 64, 64),) if quick else ((8192, 8192, 8192),) if device == "cuda" else SIZES
    with torch.inference_mode():
        for m, k, n in sizes:
            one, two = torch.randn(m, k, device=device).to(kind), torch.randn(k, n, device=device).to(kind)
            one @ two
            _wait(device)
            start, count = time.perf_counter(), 0
            while count < 2 or time.perf_counter() - start < (0.0 if quick else 0.33):
                one @ two
                count += 1
                _wait(device)
            found.append((time.perf_counter() - start) / count / (2e-9 * m * k * n))
    return min(found)


def highest(ceilings: list[dict[str, float]]) -> dict[str, float]:
    """The best of several measurements of the ceiling: others may have used the machine during one of them."""
    return {key: max(one[key] for one in ceilings) for key in ceilings[0]}


def _wait(device: str) -> None:
    """Until what was begun has ended."""
    if device == "cuda":
        import torch

        torch.cuda.synchronize()


def _best(work: Any, repeats: int, device: str) -> float:
    work()
    best = float("inf")
    for _ in range(repeats):
        _wait(device)
        start = time.perf_counter()
        work()
        _wait(device)
        best = min(best, time.perf_counter() - start)
    return best


_CHILD = """
import json, resource, subprocess, sys, time
started = time.perf_counter()
done = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
wall, used = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
sys.exit(done.stderr[-3000:]) if done.returncode else None
print(json.dumps({"wall": wall, "cpu": used.ru_utime + used.ru_stime, "memory": used.ru_maxrss * 1024}))
"""


def spent(*command: str, **environment: str) -> dict[str, float]:
    """Wall seconds, processor seconds and highest resident bytes (`wall`, `cpu`, `memory`) of a command.

    A small process starts it, since the kernel counts what the starting process holds as the command's own peak.
    """
    call = [sys.executable, "-c", _CHILD, *command]
    done = subprocess.run(call, capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed: {done.stderr}")
    found: dict[str, float] = json.loads(done.stdout)
    return found


class PeakMemory:
    """Most MiB that this process holds while a piece of work runs, libraries and weights included.

    On a GPU by torch's allocator. On Linux by the kernel's high-water mark of resident memory, set back at the start
    (`/proc/self/clear_refs`); elsewhere by `ru_maxrss`, which earlier peaks can hide.
    """

    def __init__(self, device: str = "cpu") -> None:
        self.device = device
        if device == "cuda":
            import torch

            torch.cuda.reset_peak_memory_stats()
            return
        with contextlib.suppress(OSError):
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")

    def mib(self) -> float:
        """The peak since the start."""
        if self.device == "cuda":
            import torch

            return torch.cuda.max_memory_allocated() / 2**20
        return _status("VmHWM") or _maxrss()


def _status(field: str) -> float | None:
    file = Path("/proc/self/status")
    for line in file.read_text(encoding="ascii").splitlines() if file.is_file() else ():
        if line.startswith(field + ":"):
            return int(line.split()[1]) / 1024
    return None


def _maxrss() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return used / (2**20 if platform.system() == "Darwin" else 1024)

"""Who owns a lease: this host, and processes on it."""

from __future__ import annotations

import socket
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def host() -> str:
    """Host name, boot and process namespace: where a process number means what it says."""
    parts = [socket.gethostname()]
    try:
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip())
        parts.append(str(Path("/proc/self/ns/pid").readlink()))
    except OSError:
        pass  # not Linux, or not shown here
    return " ".join(parts)


def process_started(pid: int) -> str | None:
    """When a process started, in clock ticks since boot; "" if it is gone or a zombie; None if unknown."""
    try:
        state, *fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
        return "" if state in "ZX" else fields[18]
    except (FileNotFoundError, ProcessLookupError):
        return "" if Path("/proc/self/stat").exists() else None
    except OSError:
        return None


def is_gone(pid: int, started: str | None) -> bool:
    """Whether a process of this host that started then is known to have ended."""
    now_running = process_started(pid)
    return now_running == "" or (now_running is not None and now_running != started)

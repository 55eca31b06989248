"""The local folder where objects of remote stores are kept once read, and where work for them is done."""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from uuid import uuid4

from outgrow.core.errors import StoreError
from outgrow.store.owners import host, is_gone, process_started


def cache_folder() -> Path:
    """`OUTGROW_CACHE`, or `outgrow` in the user's cache folder. Safe to remove while no run is using it.

    Raises:
        StoreError: it cannot be made.
    """
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    folder = Path(os.environ.get("OUTGROW_CACHE") or f"{base}/outgrow").expanduser().absolute()
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(f"the cache folder {folder} cannot be made: {error}; name another in OUTGROW_CACHE") from error
    return folder


def scratch() -> Path:
    """A new folder for one attempt at one step, beside `results/` in the cache; those of dead processes are removed.

    Its name says whose it is: this host (a cache may be shared), process, and when that started.
    """
    here = hashlib.sha256(host().encode("utf-8", "replace")).hexdigest()[:12]
    work = cache_folder() / "work"
    work.mkdir(exist_ok=True)
    for old in work.glob(f"{here}-*"):
        _, pid, started, _ = old.name.split("-")
        if is_gone(int(pid), started):
            shutil.rmtree(old, ignore_errors=True)
    own = work / f"{here}-{os.getpid()}-{process_started(os.getpid()) or 'unknown'}-{uuid4().hex[:12]}"
    own.mkdir()
    return own

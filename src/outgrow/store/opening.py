"""The backend of a store: a folder, or what its URL names."""

from __future__ import annotations

import os
import re
from pathlib import Path

from outgrow.core.errors import StoreError
from outgrow.store.backend import Backend
from outgrow.store.local import Folder
from outgrow.store.remote import Remote

_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+(?:://|::)")


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether a store's name is a URL.

    Raises:
        StoreError: it was one before it was made a `Path`, which takes a slash away.
    """
    text = os.fspath(path)
    if isinstance(path, os.PathLike) and re.match(r"[A-Za-z][A-Za-z0-9+-]+:/[^/]", text):
        raise StoreError(f"the store {text} was a URL before it was made a path; give it as text")
    return _URL.match(text) is not None


def backend_of(path: str | os.PathLike[str], *, single_writer: bool | None = None) -> Backend:
    """The place of a store: a folder, also as `file://…`, or a URL of a backend with conditional create.

    Args:
        path: folder or URL.
        single_writer: the caller promises that one process writes; by default what `OUTGROW_SINGLE_WRITER` says.

    Raises:
        StoreError: there can be no store.
        PrerequisiteError: a package for this kind of URL is not installed.
    """
    if not is_url(path):
        return Folder(Path(path))
    text = os.fspath(path)
    kind, _, rest = text.partition("://")
    if kind in ("file", "local"):
        return Folder(Path(rest))
    if not rest.strip("/"):
        raise StoreError(f"the store {text} names no bucket or folder; write {kind}://bucket/prefix")
    if single_writer is None:
        single_writer = os.environ.get("OUTGROW_SINGLE_WRITER", "") not in ("", "0")
    return Remote(text, single_writer=single_writer)

"""Objects behind a URL: what a store needs of S3, Google Cloud Storage, Azure and their like, through fsspec."""

from __future__ import annotations

import contextlib
import os
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from outgrow.core.errors import PrerequisiteError, StoreError
from outgrow.store.cache import arrive

_CONFLICTS = ("ConditionalRequestConflict", "OperationAborted")  # S3: two wrote at once, neither counts; ask again
_PACKAGES = {"s3": "outgrow[s3]", "s3a": "outgrow[s3]", "gs": "gcsfs", "gcs": "gcsfs", "az": "adlfs", "abfs": "adlfs"}
_in_memory = threading.Lock()  # fsspec's `memory:` looks first and writes then
_proven: set[tuple[int, str, str]] = set()  # what this process has tried out: (process, URL, type of file system)


class NoConditionalCreateError(StoreError):
    """The backend would let two processes create one object; pass `single_writer=True` if there is one only."""


class Objects:
    """Named objects under a URL. Names use `/`; there are no folders, no rename and no append.

    Args:
        url: the root, for instance `s3://bucket/prefix`; credentials and endpoints are the backend's own business
            (environment, configuration files).
        single_writer: the caller promises that nobody else writes, so creation need not be exclusive.

    Raises:
        PrerequisiteError: fsspec, or the package for this kind of URL, is not installed.
        StoreError: there is no such kind of URL, or the backend's settings are wrong.
    """

    def __init__(self, url: str, *, single_writer: bool = False) -> None:
        self.url = url.rstrip("/")
        self.single_writer = single_writer
        self._made: tuple[int, Any, str] | None = None
        self._connect()

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_made": None}

    def _connect(self) -> tuple[Any, str]:
        """The file system and the root inside it; made anew in a forked child, whose event loop is another."""
        if self._made is None or self._made[0] != os.getpid():
            system, root = _file_system(self.url)
            self._made = (os.getpid(), system, root.rstrip("/"))
        return self._made[1:]

    def _call(self, action: Callable[[Any, str], Any], name: str) -> Any:
        """Run `action(file system, full path)`; FileNotFoundError and FileExistsError pass.

        Raises:
            StoreError: anything else that the backend says, with what to look at.
        """
        system, root = self._connect()
        path = f"{root}/{name}" if name else root
        try:
            return action(system, path)
        except (FileNotFoundError, FileExistsError):
            raise
        except PermissionError as error:
            raise StoreError(
                f"the store {self.url} refuses access to {path}: {_words(error)}; check the credentials and rights"
            ) from error
        except Exception as error:  # each backend has errors of its own, and many are no OSError
            raise StoreError(f"the store {self.url} cannot be used: {_words(error)}") from error

    def read(self, name: str) -> bytes:
        """All bytes of an object.

        Raises:
            FileNotFoundError: there is none.
        """
        return bytes(self._call(lambda system, path: system.cat_file(path), name))

    def read_many(self, names: Sequence[str]) -> dict[str, bytes]:
        """The bytes of objects, many at a time; those that are not there are left out."""
        root = self._connect()[1]

        def read(system: Any, path: str) -> dict[str, bytes]:
            paths = [f"{root}/{name}" for name in names]
            found: dict[str, Any] = system.cat(paths, on_error="return") if paths else {}
            for value in found.values():
                if isinstance(value, Exception) and not isinstance(value, FileNotFoundError):
                    raise value
            return {path: bytes(value) for path, value in found.items() if not isinstance(value, Exception)}

        return {path[len(root) :].lstrip("/"): data for path, data in self._call(read, "").items()}

    def write(self, name: str, data: bytes) -> None:
        """Create or replace an object; it appears whole."""
        self._writing(lambda system, path: system.pipe_file(path, data), name)

    def create(self, name: str, data: bytes) -> bool:
        """Create an object unless it exists; False if it does. `data` must name its writer.

        A request whose reply was lost is sent again by the backend and then finds its own object; equal bytes say so.
        """
        for patience in (0.05, 0.1, 0.2, 0.4, 0.8, None):
            try:
                if self.single_writer and self.sizes(name):
                    return False
                self._writing(lambda system, path: _create(system, path, data, exclusive=not self.single_writer), name)
                return True
            except FileExistsError:
                with contextlib.suppress(FileNotFoundError):
                    return self.read(name) == data
                return False
            except StoreError as error:
                if patience is None or not any(word in str(error) for word in _CONFLICTS):
                    raise
                time.sleep(patience)
        return False

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """Names (from the root on) and sizes of all objects whose name is `prefix` or begins with `prefix/`."""

        def listed(system: Any, path: str) -> dict[str, Any]:
            system.invalidate_cache()
            found = system.find(path, detail=True)
            return found if isinstance(found, dict) else {}

        try:
            found = self._call(listed, prefix)
        except FileNotFoundError:
            return {}
        root = self._connect()[1]
        return {path[len(root) :].lstrip("/"): int(facts["size"]) for path, facts in sorted(found.items())}

    def names(self) -> list[str]:
        """First parts of all names, each once: what lies directly at the root, without looking deeper."""

        def listed(system: Any, path: str) -> list[str]:
            system.invalidate_cache()
            return [str(found) for found in system.ls(path, detail=False)]

        try:
            found = self._call(listed, "")
        except FileNotFoundError:
            return []
        return sorted({path.rstrip("/").rpartition("/")[2] for path in found})

    def remove(self, *names: str) -> None:
        """Remove objects; those that are gone are passed over."""
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                self._call(lambda system, path: system.rm_file(path), name)

    def upload(self, source: Path, name: str) -> None:
        """Put a local file's bytes into an object."""
        self._writing(lambda system, path: system.put_file(str(source), path), name)

    def download(self, name: str, target: Path, sha256: str) -> bool:
        """Put an object's bytes into a local file, which appears whole; False if they have another digest.

        Raises:
            FileNotFoundError: there is no such object.
        """
        with arrive(target) as arrival:
            self._call(lambda system, path: system.get_file(path, str(arrival.temporary)), name)
            return arrival.accept(sha256)

    def copy(self, source: str, target: str) -> None:
        """Copy an object, without its bytes passing through here where the backend can."""
        root = self._connect()[1]
        self._writing(lambda system, path: system.cp_file(f"{root}/{source}", path), target)

    def _writing(self, action: Callable[[Any, str], Any], name: str) -> None:
        try:
            self._call(action, name)
        except FileNotFoundError as error:
            raise StoreError(
                f"the store {self.url} cannot be written: {_words(error)}; "
                "the bucket or container must exist: create it, or correct the URL"
            ) from error

    def prove(self) -> None:
        """Make sure, once per process, that the backend creates exclusively: one object is created twice.

        Raises:
            NoConditionalCreateError: the second time succeeded, or the backend only looks before it writes.
            StoreError: the store cannot be written.
        """
        if self.single_writer:
            return
        system = self._connect()[0]
        proof = (os.getpid(), self.url, type(system).__name__)
        if proof in _proven:
            return
        if _looks_before_it_writes(system):
            raise self._refusal("its fsspec backend looks whether an object exists and then writes, which two can do")
        name = f"work/probe-{uuid4().hex}"
        try:
            self._writing(lambda system, path: _create(system, path, b"first", exclusive=True), name)
            try:
                self._writing(lambda system, path: _create(system, path, b"second", exclusive=True), name)
            except FileExistsError:
                _proven.add(proof)
                return
        finally:
            with contextlib.suppress(StoreError):
                self.remove(name)
        raise self._refusal("creating the same object twice succeeded")

    def _refusal(self, reason: str) -> NoConditionalCreateError:
        return NoConditionalCreateError(
            f"the store {self.url} has no conditional create ({reason}), so two processes could commit one step; "
            "use S3, Google Cloud Storage, Azure or a local folder, or, if one process alone writes to it, "
            "single_writer=True (environment: OUTGROW_SINGLE_WRITER=1)"
        )


def _file_system(url: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError as error:
        raise PrerequisiteError(
            f"the store {url} needs fsspec; install it with: pip install '{_PACKAGES.get(_kind(url), 'fsspec')}'"
        ) from error
    try:
        system, root = url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        package = _PACKAGES.get(_kind(url))
        hint = f"install it with: pip install '{package}'" if package else "install the package that it names"
        raise PrerequisiteError(f"the store {url} needs a package that is not there: {error}; {hint}") from error
    except Exception as error:
        raise StoreError(f"the store {url} cannot be opened: {_words(error)}") from error
    return system, str(root)


def _kind(url: str) -> str:
    return url.partition("://")[0]


def _create(system: Any, path: str, data: bytes, *, exclusive: bool) -> None:
    with _in_memory if "memory" in _protocols(system) else contextlib.nullcontext():
        system.pipe_file(path, data, mode="create" if exclusive else "overwrite")


def _protocols(system: Any) -> tuple[str, ...]:
    return (system.protocol,) if isinstance(system.protocol, str) else tuple(system.protocol)


def _looks_before_it_writes(system: Any) -> bool:
    """Whether a file system has no `pipe_file` of its own: fsspec's general one asks `exists` and then writes."""
    from fsspec.asyn import AsyncFileSystem
    from fsspec.spec import AbstractFileSystem

    if isinstance(system, AsyncFileSystem):
        return type(system)._pipe_file is AsyncFileSystem._pipe_file
    return type(system).pipe_file is AbstractFileSystem.pipe_file


def _words(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}" if text else type(error).__name__

"""Objects behind a URL: what a store needs of S3, Google Cloud Storage, Azure and their like, through obstore."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from uuid import uuid4

from outgrow.core.errors import PrerequisiteError, StoreError
from outgrow.core.files import sha256_file
from outgrow.store.cache import cache_folder
from outgrow.store.files import passing_name

_REQUEST = {"allow_http": True, "timeout": "2min"}  # an endpoint is often http://; obstore's 30 s are short for a part
_PART = 8 << 20  # bytes of an upload's request; S3 takes 10,000 of them
_PIECE = 32 << 20  # bytes of a download's request
_COPIED = 5_000_000_000  # bytes up to which S3 copies an object by itself
_PATIENCE = (0.05, 0.1, 0.2, 0.4, 0.8, 0.0)  # seconds after a conflict in which neither of two writers wrote
_memory: dict[str, Any] = {}  # what lies behind memory:// in this process
_proven: set[str] = set()  # URLs that this process has tried out
_used_by: set[int] = set()  # processes that have used the network here: this one and those it was forked from


class NoConditionalCreateError(StoreError):
    """The backend would let two processes create one object; pass `single_writer=True` if there is one only."""


class Objects:
    """Named objects under a URL. Names use `/`; there are no folders, no rename and no append.

    Args:
        url: the root, for instance `s3://bucket/prefix`; credentials and endpoints are the backend's own business
            (environment, roles; for S3 the files of `~/.aws` too, where boto3 is installed).
        single_writer: the caller promises that nobody else writes, so creation need not be exclusive.

    Raises:
        PrerequisiteError: obstore is not installed.
        StoreError: there is no such kind of URL, or the backend's settings are wrong.
    """

    def __init__(self, url: str, *, single_writer: bool = False) -> None:
        self.url = url.rstrip("/")
        self.single_writer = single_writer
        self._kind, _, rest = self.url.partition("://")
        bucket, _, self._root = rest.partition("/")
        self._store = _open(self._kind, bucket, self.url)

    def _path(self, name: str) -> str:
        return "/".join(filter(None, (self._root, name)))

    @contextlib.contextmanager
    def _talking(self, *, writing: bool = False) -> Iterator[None]:
        """Make what the backend says an error of the store; FileNotFoundError and FileExistsError pass.

        Raises:
            NoConditionalCreateError: the backend has none.
            StoreError: anything else that it says, with what to look at.
        """
        from obstore.exceptions import AlreadyExistsError

        if self._kind != "memory":
            _used_by.add(os.getpid())
            if len(_used_by) > 1:
                raise StoreError(
                    f"the store {self.url} cannot be used in this process, which was forked from one that had used a "
                    "store behind a URL; start it with the method 'spawn', or fork before"
                )
        try:
            yield
        except AlreadyExistsError as error:
            raise FileExistsError from error
        except NotImplementedError as error:
            raise self._refusal("its client has none") from error
        except Exception as error:  # of obstore, of the URL, of local files
            words, kind = _words(error), type(error).__name__
            absent = kind == "FileNotFoundError" or re.search("list request.*status code: 404", words)
            if absent and not writing:
                raise FileNotFoundError(words) from error
            if absent:
                words = f"cannot be written: {words}; the bucket or container must exist: create it, or correct the URL"
            elif kind in ("PermissionDeniedError", "UnauthenticatedError") or re.search("status code: 40[13]", words):
                words = f"refuses access: {words}; check the credentials and rights"
            else:
                words = f"cannot be used: {words}"
            raise StoreError(f"the store {self.url} {words}") from error

    def read(self, name: str) -> bytes:
        """All bytes of an object.

        Raises:
            FileNotFoundError: there is none.
        """
        with self._talking():
            return bytes(self._store.get(self._path(name)).bytes())

    def read_many(self, names: Sequence[str]) -> dict[str, bytes]:
        """The bytes of objects, many at a time; those that are not there are left out."""

        def read(name: str) -> bytes | None:
            with contextlib.suppress(FileNotFoundError):
                return self.read(name)
            return None

        with ThreadPoolExecutor(16) as pool:
            return {name: data for name, data in zip(names, pool.map(read, names), strict=True) if data is not None}

    def write(self, name: str, data: bytes, mode: str = "overwrite") -> None:
        """Create or replace an object, which appears whole; with `mode` "create" FileExistsError if it exists."""
        with self._talking(writing=True):
            self._store.put(self._path(name), data, mode=mode, use_multipart=False)

    def create(self, name: str, data: bytes) -> bool:
        """Create an object unless it exists; False if it does. `data` must name its writer.

        A request whose reply was lost is sent again by the backend and then finds its own object; equal bytes say so.
        S3 refuses both of two requests that come at once; then there is no object, and each is sent again.
        """
        for patience in _PATIENCE:
            if self.single_writer and self.read_many([name]):
                return False
            try:
                self.write(name, data, "overwrite" if self.single_writer else "create")
                return True
            except FileExistsError:
                with contextlib.suppress(FileNotFoundError):
                    return self.read(name) == data
            time.sleep(patience)
        return False

    def sizes(self, prefix: str = "") -> dict[str, int]:
        """Names (from the root on) and sizes of all objects whose name begins with `prefix/`."""
        listed: list[Any] = []
        with contextlib.suppress(FileNotFoundError), self._talking():
            listed = self._store.list(self._path(prefix)).collect()
        return dict(sorted((self._name(facts["path"]), int(facts["size"])) for facts in listed))

    def names(self) -> list[str]:
        """First parts of all names, each once: what lies directly at the root, without looking deeper."""
        listed: dict[str, Any] = {"common_prefixes": [], "objects": []}
        with contextlib.suppress(FileNotFoundError), self._talking():
            listed = self._store.list_with_delimiter(self._root)
        return sorted(map(self._name, [*listed["common_prefixes"], *(facts["path"] for facts in listed["objects"])]))

    def _name(self, path: str) -> str:
        return path[len(self._root) :].lstrip("/")

    def remove(self, *names: str) -> None:
        """Remove objects; those that are gone are passed over."""
        for name in names:
            with contextlib.suppress(FileNotFoundError), self._talking():
                self._store.delete(self._path(name))

    def upload(self, source: Path, name: str) -> None:
        """Put a local file's bytes into an object."""
        with self._talking(writing=True):
            self._store.put(self._path(name), source, chunk_size=_PART, max_concurrency=4)

    def download(self, name: str, target: Path, sha256: str) -> bool:
        """Put an object's bytes into a local file, which appears whole; False if they have another digest.

        Raises:
            FileNotFoundError: there is no such object.
        """
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = passing_name(target)
        try:
            with self._talking(), temporary.open("wb") as file:
                file.writelines(self._pieces(self._path(name)))
            if sha256_file(temporary) != sha256:
                return False
            temporary.replace(target)  # whoever else brings it at this moment brings the same bytes
            return True
        finally:
            temporary.unlink(missing_ok=True)

    def _pieces(self, path: str) -> Iterator[bytes]:
        size = self._store.head(path)["size"]
        for start in range(0, size, _PIECE):
            yield bytes(self._store.get_range(path, start=start, end=min(start + _PIECE, size)))

    def copy(self, source: str, target: str) -> None:
        """Copy an object, without its bytes passing through here where the backend can.

        Raises:
            FileNotFoundError: there is no such object.
        """
        origin, goal = self._path(source), self._path(target)
        with self._talking():
            if self._store.head(origin)["size"] <= _COPIED:
                self._store.copy(origin, goal)
                return
            with tempfile.TemporaryFile(dir=cache_folder()) as file:
                file.writelines(self._pieces(origin))
                file.seek(0)
                self._store.put(goal, file, chunk_size=_PART, max_concurrency=4)

    def prove(self) -> None:
        """Make sure, once per process, that the backend creates exclusively: one object is created twice.

        Raises:
            NoConditionalCreateError: the second time succeeded, or the backend has no such create.
            StoreError: the store cannot be written.
        """
        if self.single_writer or self.url in _proven:
            return
        name = f"work/probe-{uuid4().hex}"
        try:
            self.write(name, b"first", "create")
            try:
                self.write(name, b"second", "create")
            except FileExistsError:
                _proven.add(self.url)
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


def _open(kind: str, bucket: str, url: str) -> Any:
    """The bucket's client; the prefix is left to the names, because a URL's percent signs would be decoded in it."""
    try:
        from obstore.store import MemoryStore, from_url
    except ImportError as error:
        raise PrerequisiteError(f"the store {url} needs obstore; install it: pip install 'outgrow[s3]'") from error
    options: dict[str, Any] = {"client_options": _REQUEST}
    try:
        if kind in ("s3", "s3a") and "AWS_ACCESS_KEY_ID" not in os.environ:
            with contextlib.suppress(ImportError, ValueError):  # no boto3, or it knows of no credentials either
                from obstore.auth.boto3 import Boto3CredentialProvider

                options["credential_provider"] = Boto3CredentialProvider()
        if kind == "memory":
            return _memory.setdefault(bucket, MemoryStore())
        return from_url(f"{kind.replace('gcs', 'gs')}://{bucket}", **options)
    except Exception as error:
        hint = "a store is a folder, or behind s3://, gs:// or az://"
        raise StoreError(f"the store {url} cannot be opened: {_words(error)}; {hint}") from error


def _words(error: BaseException) -> str:
    """An error in one line, without markup, its history, and the queries of URLs, which may hold a signature."""
    text = re.sub(r"(https?://[^\s?]*)\?\S*|<[^>]*>", r"\1 ", str(error).partition("\n\nDebug source")[0])
    return " ".join(text.split()) or type(error).__name__

"""Seeded order without a random state: sha256 of small tuples, in bulk."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from json.encoder import encode_basestring

import numpy as np

from outgrow.core.arrays import Int


def digests(prefix: Sequence[object], *columns: Iterable[str]) -> list[bytes]:
    """`records.sha256_text(*prefix, *row)` for each row of the string columns, as raw digests.

    Byte order of the digests equals the order of the hex strings.
    """
    head = json.dumps(list(prefix), ensure_ascii=False, separators=(",", ":"))[:-1]
    sha = hashlib.sha256
    found = []
    for row in zip(*columns, strict=True):
        text = ",".join([head, *map(encode_basestring, row)]) if prefix else "[" + ",".join(map(encode_basestring, row))
        found.append(sha((text + "]").encode("utf-8")).digest())
    return found


def hash_order(prefix: Sequence[object], names: Iterable[str]) -> Int[np.ndarray, "names"]:
    """Positions of `names` in ascending order of sha256(prefix, name); equal names keep their order."""
    found = digests(prefix, names)
    return np.array(sorted(range(len(found)), key=found.__getitem__), dtype=np.int64)


def hash_ranks(prefix: Sequence[object], names: Iterable[str]) -> Int[np.ndarray, "names"]:
    """The rank of each name in `hash_order`, from 0."""
    return np.argsort(hash_order(prefix, names), kind="stable")

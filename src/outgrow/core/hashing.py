"""Hashes that ids, ties, orders and seeds come from: equal on every machine."""

from __future__ import annotations

import hashlib
import json

_compact = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode


def sha256_text(*parts: object) -> str:
    """Hex digest of the parts written as compact JSON: the one hash used for ids, ties and order."""
    return hashlib.sha256(_compact(parts).encode("utf-8")).hexdigest()


def seed_of(*parts: object) -> int:
    """A 63-bit seed made of the parts by sha256: equal parts, equal seed, on every machine."""
    return int.from_bytes(hashlib.sha256(repr(parts).encode("utf-8")).digest()[:8], "big") >> 1

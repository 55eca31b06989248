"""Strings as integer codes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from outgrow.core.arrays import Int


@dataclass(frozen=True)
class Encoded:
    """Strings as codes: `names[codes[i]]` is row i; code -1 is null. Names stand in order of first appearance."""

    codes: Int[np.ndarray, "rows"]
    names: pa.Array


def encode(strings: pa.ChunkedArray) -> Encoded:
    """Distinct strings numbered by first appearance; equal neighbours are hashed once."""
    n = len(strings)
    if n > 1 and strings.null_count == 0:
        changes = pc.not_equal(strings.slice(1), strings.slice(0, n - 1))
        starts = np.concatenate([[0], np.flatnonzero(changes.to_numpy()) + 1])
        if 2 * len(starts) < n:
            runs = encode(strings.take(pa.array(starts)))
            return Encoded(np.repeat(runs.codes, np.diff(starts, append=n)), runs.names)
    encoded = strings.dictionary_encode()
    encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
    if isinstance(encoded, pa.ChunkedArray):
        encoded = (
            encoded.chunk(0)
            if encoded.num_chunks
            else pa.DictionaryArray.from_arrays(pa.array([], pa.int32()), pa.array([], pa.string()))
        )
    codes = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
    return Encoded(codes, encoded.dictionary)

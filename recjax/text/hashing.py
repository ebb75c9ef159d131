"""SipHash-2-4 of many texts at once: the same rows in NumPy and in TensorFlow.

J.-P. Aumasson and D. J. Bernstein, "SipHash: a fast short-input PRF", 2012.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

KEY = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
"""The key, as `tf.strings.to_hash_bucket_strong` takes it: any, but always the same."""
_START = (
    *(0x736F6D6570736575, 0x646F72616E646F6D),
    *(0x6C7967656E657261, 0x7465646279746573),
)


def hash_buckets(texts: Sequence[str], buckets: int) -> np.ndarray:
    """Returns the bucket of each text, from 0 to `buckets - 1`, i64[N]."""
    given = [text.encode("utf-8", "replace") for text in texts]
    sizes = np.array([len(one) for one in given], np.int64)
    found = np.zeros(len(given), np.uint64)
    for size in np.unique(sizes):
        rows = np.flatnonzero(sizes == size)
        data = np.frombuffer(b"".join(given[row] for row in rows), np.uint8)
        found[rows] = _sip(data.reshape(len(rows), size))
    return (found % np.uint64(buckets)).astype(np.int64)


def _sip(data: np.ndarray) -> np.ndarray:
    """Returns the hash of each row of bytes u8[n, size], u64[n]."""
    count, size = data.shape
    # The last word ends in the number of bytes; what is between is 0.
    padded = np.zeros((count, size // 8 * 8 + 8), np.uint8)
    padded[:, :size] = data
    padded[:, -1] = size % 256
    keys = (*KEY, *KEY)
    state = [
        np.full(count, s ^ k, np.uint64) for s, k in zip(_START, keys, strict=True)
    ]
    for word in np.ascontiguousarray(padded).view("<u8").T:
        state[3] ^= word
        _rounds(state, 2)
        state[0] ^= word
    state[2] ^= np.uint64(0xFF)
    _rounds(state, 4)
    return state[0] ^ state[1] ^ state[2] ^ state[3]


def _rounds(state: list[np.ndarray], number: int) -> None:
    a, b, c, d = state
    for _ in range(number):
        a, c = a + b, c + d
        b, d = _turned(b, 13) ^ a, _turned(d, 16) ^ c
        a = _turned(a, 32)
        a, c = a + d, c + b
        b, d = _turned(b, 17) ^ c, _turned(d, 21) ^ a
        c = _turned(c, 32)
    state[:] = a, b, c, d


def _turned(x: np.ndarray, by: int) -> np.ndarray:
    return (x << np.uint64(by)) | (x >> np.uint64(64 - by))

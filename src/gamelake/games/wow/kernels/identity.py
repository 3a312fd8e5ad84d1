"""Event ids: UUIDv5 (RFC 9562, 5.5) of a line's identity, one SHA-1 block each (FIPS 180-4)."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def _left(x, r):
    return np.uint32((x << np.uint32(r)) | (x >> np.uint32(32 - r)))


@njit(cache=True, nogil=True)
def _sha1_block(w, state):
    """Compress the 80-word schedule whose first 16 words are the padded block; result in `state`."""
    for t in range(16, 80):
        w[t] = _left(w[t - 3] ^ w[t - 8] ^ w[t - 14] ^ w[t - 16], 1)
    a = np.uint32(0x67452301)
    b = np.uint32(0xEFCDAB89)
    c = np.uint32(0x98BADCFE)
    d = np.uint32(0x10325476)
    e = np.uint32(0xC3D2E1F0)
    for t in range(20):
        turned = _left(a, 5) + ((b & c) | (~b & d)) + e + np.uint32(0x5A827999) + w[t]
        e, d, c, b, a = d, c, _left(b, 30), a, np.uint32(turned)
    for t in range(20, 40):
        turned = _left(a, 5) + (b ^ c ^ d) + e + np.uint32(0x6ED9EBA1) + w[t]
        e, d, c, b, a = d, c, _left(b, 30), a, np.uint32(turned)
    for t in range(40, 60):
        turned = _left(a, 5) + ((b & c) | (b & d) | (c & d)) + e + np.uint32(0x8F1BBCDC) + w[t]
        e, d, c, b, a = d, c, _left(b, 30), a, np.uint32(turned)
    for t in range(60, 80):
        turned = _left(a, 5) + (b ^ c ^ d) + e + np.uint32(0xCA62C1D6) + w[t]
        e, d, c, b, a = d, c, _left(b, 30), a, np.uint32(turned)
    state[0] = np.uint32(0x67452301) + a
    state[1] = np.uint32(0xEFCDAB89) + b
    state[2] = np.uint32(0x98BADCFE) + c
    state[3] = np.uint32(0x10325476) + d
    state[4] = np.uint32(0xC3D2E1F0) + e


@njit(cache=True, nogil=True)
def event_ids(namespace, low, high, occurrences, out):
    """UUIDv5 of (namespace, low and high of the identity big-endian, occurrence in four bytes), 16 bytes a row."""
    w = np.empty(80, np.uint32)
    state = np.empty(5, np.uint32)
    for row in range(low.size):
        for i in range(4):
            w[i] = namespace[i]
        w[4] = np.uint32(low[row] >> np.uint64(32))
        w[5] = np.uint32(low[row] & np.uint64(0xFFFFFFFF))
        w[6] = np.uint32(high[row] >> np.uint64(32))
        w[7] = np.uint32(high[row] & np.uint64(0xFFFFFFFF))
        w[8] = np.uint32(occurrences[row])
        w[9] = np.uint32(0x80000000)
        for i in range(10, 15):
            w[i] = np.uint32(0)
        w[15] = np.uint32(36 * 8)
        _sha1_block(w, state)
        for i in range(4):
            for j in range(4):
                out[row, 4 * i + j] = (state[i] >> np.uint32(24 - 8 * j)) & np.uint32(0xFF)
        out[row, 6] = (out[row, 6] & 0x0F) | 0x50
        out[row, 8] = (out[row, 8] & 0x3F) | 0x80

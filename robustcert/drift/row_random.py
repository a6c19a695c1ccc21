"""Random numbers that belong to a row: they depend on seed, purpose and row number, never on batches or their order.

The finaliser of SplitMix64 (Steele, Lea and Flood 2014) over a counter, which numpy computes alike everywhere. For
draws of rows and planted faults, where any well-mixed numbers do; the noise that certificates rest on is
robustcert.smoothing.noise.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)
UNIFORM_BITS = 52  # one bit more, and the largest would round to 1


def uniforms(seed: int, purpose: str, rows: NDArray[np.int64], *, column: int = 0) -> NDArray[np.float64]:
    """One number strictly between 0 and 1 for each row number, float64 of the shape of `rows`.

    >>> uniforms(1, "sample", np.array([5, 6])).tolist() == uniforms(1, "sample", np.array([6, 5]))[::-1].tolist()
    True
    """
    key = hashlib.sha256(f"{seed}\0{purpose}\0{column}".encode()).digest()
    start, odd = (np.frombuffer(key[at : at + 8], dtype="<u8")[0] for at in (0, 8))
    with np.errstate(over="ignore"):
        words = mixed(rows.astype(np.uint64) * GOLDEN + start) ^ odd
        words = mixed(words)
    return (np.asarray(words >> np.uint64(64 - UNIFORM_BITS), dtype=np.float64) + 0.5) * 2.0**-UNIFORM_BITS


def normals(seed: int, purpose: str, rows: NDArray[np.int64], *, column: int = 0) -> NDArray[np.float64]:
    """One standard normal for each row number."""
    return np.asarray(ndtri(uniforms(seed, purpose, rows, column=column)))


def mixed(words: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser: a permutation of 64-bit words in which every input bit moves every output bit."""
    with np.errstate(over="ignore"):
        words = (words ^ (words >> np.uint64(30))) * FIRST
        words = (words ^ (words >> np.uint64(27))) * SECOND
    return words ^ (words >> np.uint64(31))

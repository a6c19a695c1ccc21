"""Gaussian noise on the integer grid, from a counter: any shard, batch, order or restart gives the same integers.

Shapes: N draws, D coordinates of one sample.

Philox4x64-10 (Salmon et al. 2011) with key (key0, sample id); draw j of stream s owns the blocks that follow counter
(j * ceil(D / 4), 0, 0, s), one 64-bit word w a coordinate. v = ((w >> 11) + 0.5) * 2^-53 in float64, kept below 1, to
which one w would round; z = Phi^-1(v) is normal, and rint(z * sigma / unit) is the noise in steps of the grid. Noise
and sample on one grid make the classifier of grid points the one that the theorem is about: with noise added in
floating point, false certificates are possible (Voracek and Hein 2023). Only raw words of the generator are used, which
numpy keeps stable.

The quantile function is scipy's, so that nothing here needs torch; torch's is 1.25 times as fast, and gives the same
integers (tests/smoothing/test_noise.py).
"""

from __future__ import annotations

import hashlib
from enum import IntEnum, unique

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from robustcert.errors import InputError, expected

SEED_DOMAIN = b"rcert-v1\x00"
WORDS_PER_BLOCK = 4
UNIFORM_BITS = 53
LARGEST_UNIFORM = 1 - 2.0**-UNIFORM_BITS
COUNTER_LIMIT = 1 << 64


@unique
class Stream(IntEnum):
    """What draws are for, as word 3 of the counter: no draw of one stream is ever a draw of another."""

    SELECTION = 0
    PILOT = 1
    ESTIMATION = 2
    SPOT_CHECK = 3


def derive_seed(model_sha256: str, data_sha256: str, configuration_sha256: str) -> bytes:
    """SHA-256("rcert-v1\\0" || model || "\\0" || data || "\\0" || configuration) over lower-case hexadecimal digests.

    The seed follows from what is certified, so that nobody can draw again until the result pleases.
    """
    digests = (model_sha256, data_sha256, configuration_sha256)
    for digest in digests:
        if len(digest) != 64 or set(digest) - set("0123456789abcdef"):
            raise InputError(expected("a lower-case hexadecimal SHA-256", got=repr(digest), remedy="pass digests only"))
    return hashlib.sha256(SEED_DOMAIN + b"\x00".join(digest.encode("ascii") for digest in digests)).digest()


def key0(seed: bytes) -> int:
    """First word of the Philox key: the first 8 bytes of the seed, little-endian.

    >>> key0(bytes([1, 2]) + bytes(30))
    513
    """
    return int.from_bytes(seed[:8], "little")


def standard_normals(
    key0: int, *, sample_id: int, stream: Stream, first_draw: int, draws: int, coordinates: int
) -> NDArray[np.float64]:
    """The normals z_ND of `draws` draws from `first_draw` on, before scaling and rounding; |z| < 8.3."""
    blocks = -(-coordinates // WORDS_PER_BLOCK)
    words = _words(key0, sample_id=sample_id, stream=stream, first_block=first_draw * blocks, blocks=draws * blocks)
    words >>= np.uint64(64 - UNIFORM_BITS)
    uniforms = words.astype(np.float64)
    uniforms += 0.5
    uniforms *= 2.0**-UNIFORM_BITS
    np.minimum(uniforms, LARGEST_UNIFORM, out=uniforms)
    ndtri(uniforms, out=uniforms)
    return uniforms.reshape(draws, blocks * WORDS_PER_BLOCK)[:, :coordinates]


def integer_noise(
    key0: int, *, sample_id: int, stream: Stream, first_draw: int, draws: int, sigma_steps: NDArray[np.float64]
) -> NDArray[np.int64]:
    """Noise_ND in grid steps for draws `first_draw` ... `first_draw + draws - 1` of one sample.

    `sigma_steps` (D,) is the standard deviation of each coordinate in grid steps; 0 leaves the coordinate alone.
    """
    z_ND = standard_normals(
        key0, sample_id=sample_id, stream=stream, first_draw=first_draw, draws=draws, coordinates=len(sigma_steps)
    )
    scaled_ND = z_ND * sigma_steps
    np.rint(scaled_ND, out=scaled_ND)
    return scaled_ND.astype(np.int64)


def _words(key0: int, *, sample_id: int, stream: Stream, first_block: int, blocks: int) -> NDArray[np.uint64]:
    """Raw words after counter (first_block, 0, 0, stream); the generator counts up before it gives its first block."""
    if not (0 <= key0 < COUNTER_LIMIT and 0 <= sample_id < COUNTER_LIMIT):
        raise InputError(expected("key and sample id in 0 ... 2^64 - 1", got=(key0, sample_id), remedy="renumber them"))
    if not 0 <= first_block <= first_block + blocks < COUNTER_LIMIT:
        remedy = "draw less; past it, one stream would run into the next"
        raise InputError(expected("blocks within 2^64", got=first_block + blocks, remedy=remedy))
    key = np.array([key0, sample_id], dtype=np.uint64)
    counter = np.array([first_block, 0, 0, Stream(stream)], dtype=np.uint64)
    words: NDArray[np.uint64] = np.random.Philox(key=key, counter=counter).random_raw(blocks * WORDS_PER_BLOCK)
    return words

"""Noise on the integer grid, from a counter: any shard, batch, order, restart or device gives the same integers.

Shapes: N draws of one sample, R rows of any samples, D coordinates.

Philox4x64-10 (Salmon et al. 2011) with key (key0, sample id); draw j of stream s owns the blocks that follow counter
(j * ceil(D / 4), 0, 0, s), one 64-bit word w a coordinate. v = ((w >> 11) + 1/2) * 2^-53, exactly; z is the quantile v
of a distribution of mean 0 and variance 1, and rint(z * sigma / unit) is the noise in steps of the grid. Noise and
sample on one grid make the classifier of grid points the one that the theorem is about: with noise added in floating
point, false certificates are possible (Voracek and Hein 2023). Only raw words of the generator are used, which numpy
keeps stable, and quantile functions of our own, whose bits depend on no library and no processor
(robustcert/smoothing/normal_quantile.py); `robustcert.smoothing.device_noise` makes the same integers on a GPU.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from enum import IntEnum, unique

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import InputError, expected
from robustcert.smoothing.noise_kinds import NoiseName
from robustcert.smoothing.normal_quantile import (
    PIECE,
    centred_uniforms,
    laplace_quantile,
    normal_quantile,
    scratch_for,
    uniform_quantile,
)

SEED_DOMAIN = b"rcert-v1\x00"
WORDS_PER_BLOCK = 4
COUNTER_LIMIT = 1 << 64
LARGEST_STEPS = float(1 << 46)  # noise is below 26 deviations: below 2^51, float64 counts every half step

QUANTILES: dict[NoiseName, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "gaussian": normal_quantile,
    "uniform": uniform_quantile,
    "laplace": laplace_quantile,
}


@unique
class Stream(IntEnum):
    """What draws are for, as word 3 of the counter: no draw of one stream is ever a draw of another."""

    SELECTION = 0
    PILOT = 1
    ESTIMATION = 2
    SPOT_CHECK = 3


def derive_seed(model_sha256: str, data_sha256: str, configuration_sha256: str) -> bytes:
    """SHA-256("rcert-v1\\0" || model || "\\0" || data || "\\0" || configuration) over lower-case hexadecimal digests.

    The seed follows from what is certified: of one model file, data set and configuration nobody can draw again until
    the result pleases. Another file of the same weights is another model here, with noise of its own.
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


def standard_noise(
    kind: NoiseName, key0: int, *, sample_id: int, stream: Stream, first_draw: int, draws: int, coordinates: int
) -> NDArray[np.float64]:
    """Noise z_ND of variance 1 for `draws` draws from `first_draw` on, before scaling and rounding.

    |z| is below 8.3 for Gaussian, 1.74 for uniform and 26 for Laplace noise.
    """
    blocks = -(-coordinates // WORDS_PER_BLOCK)
    words = _words(key0, sample_id=sample_id, stream=stream, first_block=first_draw * blocks, blocks=draws * blocks)
    z = _quantiles(words, np.empty(words.size), kind)
    return z.reshape(draws, blocks * WORDS_PER_BLOCK)[:, :coordinates]


def standard_normals(
    key0: int, *, sample_id: int, stream: Stream, first_draw: int, draws: int, coordinates: int
) -> NDArray[np.float64]:
    """`standard_noise` of kind gaussian."""
    return standard_noise(
        "gaussian",
        key0,
        sample_id=sample_id,
        stream=stream,
        first_draw=first_draw,
        draws=draws,
        coordinates=coordinates,
    )


def integer_noise(
    key0: int,
    *,
    sample_id: int,
    stream: Stream,
    first_draw: int,
    draws: int,
    sigma_steps: NDArray[np.float64],
    kind: NoiseName = "gaussian",
) -> NDArray[np.int64]:
    """Noise_ND in grid steps for draws `first_draw` ... `first_draw + draws - 1` of one sample.

    `sigma_steps` (D,) is the standard deviation of each coordinate in grid steps; 0 leaves the coordinate alone.
    Raises InputError for other deviations than 0 ... 2^46 steps, and for draws beyond the counter.
    """
    refuse_steps(sigma_steps)
    width = len(sigma_steps)
    blocks = -(-width // WORDS_PER_BLOCK)
    noise_ND = np.empty((draws, width), dtype=np.int64)
    for start, size in _pieces(draws, blocks=blocks):
        words = _words(
            key0,
            sample_id=sample_id,
            stream=stream,
            first_block=(first_draw + start) * blocks,
            blocks=size * blocks,
        )
        noise_ND[start : start + size] = _steps(words, sigma_steps, kind)
    return noise_ND


def rows_of_noise(
    key0: int,
    *,
    sample_ids_R: NDArray[np.int64],
    draws_R: NDArray[np.int64],
    stream: Stream,
    sigma_steps: NDArray[np.float64],
    kind: NoiseName = "gaussian",
) -> NDArray[np.int64]:
    """Noise_RD in grid steps of rows of several samples: row r is draw draws_R[r] of sample sample_ids_R[r].

    Row for row what `integer_noise` gives, and much faster where a sample has few rows.
    """
    refuse_steps(sigma_steps)
    rows, width = len(draws_R), len(sigma_steps)
    blocks = -(-width // WORDS_PER_BLOCK)
    noise_RD = np.empty((rows, width), dtype=np.int64)
    for start, size in _pieces(rows, blocks=blocks):
        part = slice(start, start + size)
        words = _words_of_rows(key0, sample_ids_R[part], draws_R[part], stream=stream, blocks=blocks)
        noise_RD[part] = _steps(words.ravel(), sigma_steps, kind)
    return noise_RD


def refuse_steps(sigma_steps: NDArray[np.float64]) -> None:
    """InputError for deviations whose noise would not be integers that float64 counts exactly."""
    if not np.all((sigma_steps >= 0) & (sigma_steps <= LARGEST_STEPS)):
        remedy = "take a coarser grid unit or a smaller sigma"
        raise InputError(expected("deviations of 0 ... 2^46 grid steps", got=np.max(sigma_steps), remedy=remedy))


def refuse_counters(key0: int, *, sample_id: int, first_block: int, blocks: int) -> None:
    """InputError for what does not fit into the words of key and counter."""
    if not (0 <= key0 < COUNTER_LIMIT and 0 <= sample_id < COUNTER_LIMIT):
        raise InputError(expected("key and sample id in 0 ... 2^64 - 1", got=(key0, sample_id), remedy="renumber them"))
    if not 0 <= first_block <= first_block + blocks < COUNTER_LIMIT:
        remedy = "draw less; past it, one stream would run into the next"
        raise InputError(expected("blocks within 2^64", got=first_block + blocks, remedy=remedy))


def _pieces(rows: int, *, blocks: int) -> Iterator[tuple[int, int]]:
    """First row and number of rows of each piece that fits in the processor's cache."""
    size = max(1, PIECE // max(1, blocks * WORDS_PER_BLOCK))
    return ((start, min(size, rows - start)) for start in range(0, rows, size))


def _quantiles(words: NDArray[np.uint64], out: NDArray[np.float64], kind: NoiseName) -> NDArray[np.float64]:
    if kind not in QUANTILES:
        raise InputError(expected(f"noise of kind {', '.join(QUANTILES)}", got=repr(kind), remedy="choose one"))
    return QUANTILES[kind](centred_uniforms(words, out))


def _steps(words: NDArray[np.uint64], sigma_steps: NDArray[np.float64], kind: NoiseName) -> NDArray[np.float64]:
    """Whole steps (rows, D) of the words of some rows, in memory that the thread's next call overwrites."""
    z = _quantiles(words, scratch_for(words.size), kind)
    width = len(sigma_steps)
    steps_ND = z.reshape(-1, -(-width // WORDS_PER_BLOCK) * WORDS_PER_BLOCK)[:, :width]
    steps_ND *= sigma_steps
    return np.rint(steps_ND, out=steps_ND)


def _words(key0: int, *, sample_id: int, stream: Stream, first_block: int, blocks: int) -> NDArray[np.uint64]:
    """Raw words after counter (first_block, 0, 0, stream); the generator counts up before it gives its first block."""
    refuse_counters(key0, sample_id=sample_id, first_block=first_block, blocks=blocks)
    key = np.array([key0, sample_id], dtype=np.uint64)
    counter = np.array([first_block, 0, 0, Stream(stream)], dtype=np.uint64)
    words: NDArray[np.uint64] = np.random.Philox(key=key, counter=counter).random_raw(blocks * WORDS_PER_BLOCK)
    return words


def _words_of_rows(
    key0: int, sample_ids_R: NDArray[np.int64], draws_R: NDArray[np.int64], *, stream: Stream, blocks: int
) -> NDArray[np.uint64]:
    """Raw words (R, 4 blocks), from one generator set anew for each run of consecutive draws: faster than new ones."""
    words = np.empty((len(draws_R), blocks * WORDS_PER_BLOCK), dtype=np.uint64)
    generator = np.random.Philox(key=0)
    state = generator.state
    breaks = np.flatnonzero((np.diff(sample_ids_R) != 0) | (np.diff(draws_R) != 1)) + 1
    for first, last in zip([0, *breaks.tolist()], [*breaks.tolist(), len(draws_R)], strict=True):
        sample_id, block = int(sample_ids_R[first]), int(draws_R[first]) * blocks
        refuse_counters(key0, sample_id=sample_id, first_block=block, blocks=(last - first) * blocks)
        state["state"]["key"][:] = key0, sample_id
        state["state"]["counter"][:] = block, 0, 0, Stream(stream)
        state["buffer_pos"] = WORDS_PER_BLOCK
        generator.state = state
        words[first:last] = generator.random_raw(words[first:last].size).reshape(last - first, -1)
    return words

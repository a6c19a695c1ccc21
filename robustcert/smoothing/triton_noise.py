"""Noisy inputs in one CUDA kernel: the noise of `robustcert.smoothing.noise`, added, scaled and converted in registers.

Triton is imported by the first call. Shapes: R rows, D coordinates, in ceil(D / 4) blocks of four words a row;
a program of the kernel makes BLOCKS of all the rows' blocks, so that short rows share one.

Every step is the one of the numpy code, in float64 and in its order. For that, products and sums must not be fused: the
kernel is compiled with `enable_fp_fusion=False`. Division and square root of float64 are correctly rounded in PTX
(div.rn.f64, sqrt.rn.f64). Rounding to whole steps adds and takes away 1.5 * 2^52, which rounds half to even below 2^51.
"""

# mypy: disallow-untyped-defs=False, disallow-incomplete-defs=False, disallow-untyped-calls=False
# Triton reads the annotations of a kernel's arguments, and knows none but its own.

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from robustcert.errors import InputError, expected
from robustcert.smoothing import logarithm, normal_quantile
from robustcert.smoothing.noise_kinds import NoiseName
from robustcert.smoothing.torch_noise import KEY_INCREMENTS, MULTIPLIERS, PHILOX_ROUNDS, signed

tl: Any = None  # triton.language, once `kernel` has been called

BLOCKS = 256  # of four words, so 1,024 coordinates a program
WARPS = 8
LARGEST = 1 << 30  # words of one launch, so that 32 bits number them

_ROUNDS = PHILOX_ROUNDS
_M0, _M1 = MULTIPLIERS[0], MULTIPLIERS[1]
_W0, _W1 = KEY_INCREMENTS[0], KEY_INCREMENTS[1]
_HALF_RANGE = normal_quantile.HALF_RANGE
_UNIFORM = 2.0**-normal_quantile.UNIFORM_BITS
_SHIFT = 64 - normal_quantile.UNIFORM_BITS
_CENTRE, _CENTRE_SQUARE = normal_quantile.CENTRE, normal_quantile.CENTRE_SQUARE
_TAIL_SHIFT, _FAR = normal_quantile.TAIL_SHIFT, normal_quantile.FAR
_CENTRE_ABOVE = normal_quantile.CENTRE_ABOVE
_CENTRE_BELOW = normal_quantile.CENTRE_BELOW
_TAIL_ABOVE, _TAIL_BELOW = normal_quantile.TAIL_ABOVE, normal_quantile.TAIL_BELOW
_FAR_ABOVE, _FAR_BELOW = normal_quantile.FAR_ABOVE, normal_quantile.FAR_BELOW
_LAPLACE_SCALE = normal_quantile.LAPLACE_SCALE
_UNIFORM_WIDTH = normal_quantile.UNIFORM_WIDTH
_SQRT_HALF_BITS = logarithm.SQRT_HALF_BITS
_FRACTION_BITS = logarithm.FRACTION_BITS
_SERIES, _TERMS = logarithm.SERIES, len(logarithm.SERIES)
_LOG_2_HIGH, _LOG_2_LOW = logarithm.LOG_2_HIGH, logarithm.LOG_2_LOW
_TO_WHOLE = 1.5 * 2.0**52


def noisy_batch(
    x_RD: Tensor,
    *,
    sample_ids_R: Tensor,
    draws_R: Tensor,
    key0: int,
    stream: int,
    steps_D: Tensor,
    unit_D: Tensor,
    kind: NoiseName,
    dtype: torch.dtype,
) -> Tensor:
    """As `robustcert.smoothing.device_noise.noisy_batch`; all tensors on one GPU, x_RD with any distance of rows."""
    rows, width = x_RD.shape
    blocks = -(-width // 4)
    if rows * blocks * 4 > LARGEST:
        raise InputError(expected("at most 2^30 words in a batch", got=rows * blocks * 4, remedy="take fewer rows"))
    rows_of_x = x_RD if x_RD.stride(1) == 1 else x_RD.contiguous()
    out_RD = torch.empty(rows, width, dtype=dtype, device=x_RD.device)
    kernel()[(-(-rows * blocks // BLOCKS),)](
        out_RD,
        rows_of_x,
        rows_of_x.stride(0),
        sample_ids_R,
        draws_R,
        _placed_key(key0, x_RD.device),
        steps_D,
        unit_D,
        rows,
        WIDTH=width,
        STREAM=stream,
        KIND=kind,
        BLOCKS=BLOCKS,
        num_warps=WARPS,
        enable_fp_fusion=False,
    )
    return out_RD


@lru_cache(maxsize=1)
def kernel() -> Any:
    """The kernel, made from the functions below; the first call imports triton, each new shape compiles for a second.

    Triton resolves names where a function is defined, and takes numbers from there only as its own constants.
    """
    import triton  # type: ignore[import-not-found,import-untyped,unused-ignore]
    import triton.language  # type: ignore[import-not-found,import-untyped,unused-ignore]

    scope = globals()
    scope["tl"] = triton.language
    for name in [name for name in scope if name.startswith("_") and name.isupper()]:
        scope[name] = triton.language.constexpr(scope[name])
    for function in (_horner, _log, _normal, _quantile, _philox, _noisy):
        scope[function.__name__] = triton.jit(function)
    return scope["_noisy"]


@lru_cache(maxsize=64)
def _placed_key(key0: int, device: torch.device) -> Tensor:
    return torch.tensor([signed(key0)], dtype=torch.int64, device=device)


def _noisy(
    out,
    x,
    x_stride,
    sample_ids,
    draws,
    key,
    steps,
    unit,
    rows,
    WIDTH: tl.constexpr,
    STREAM: tl.constexpr,
    KIND: tl.constexpr,
    BLOCKS: tl.constexpr,
):
    blocks: tl.constexpr = (WIDTH + 3) // 4
    number = tl.program_id(0) * BLOCKS + tl.arange(0, BLOCKS)
    row = number // blocks
    sample = tl.load(sample_ids + row, mask=row < rows, other=0).to(tl.uint64)
    draw = tl.load(draws + row, mask=row < rows, other=0)
    counter = (draw * blocks + (number % blocks + 1)).to(tl.uint64)
    w0, w1, w2, w3 = _philox(counter, tl.load(key).to(tl.uint64), sample, STREAM)
    z = _quantile(tl.interleave(tl.interleave(w0, w2), tl.interleave(w1, w3)), KIND)
    word = tl.program_id(0) * (4 * BLOCKS) + tl.arange(0, 4 * BLOCKS)
    row = word // (4 * blocks)
    coordinate = word % (4 * blocks)
    inside = (row < rows) & (coordinate < WIDTH)
    place = row.to(tl.int64) * WIDTH + coordinate if WIDTH % 4 else word
    scaled = z * tl.load(steps + coordinate, mask=inside, other=0.0)
    whole = (scaled + _TO_WHOLE) - _TO_WHOLE
    grid = tl.load(x + row.to(tl.int64) * x_stride + coordinate, mask=inside, other=0).to(tl.float64) + whole
    noisy = (grid * tl.load(unit + coordinate, mask=inside, other=0.0)).to(tl.float32)
    tl.store(out + place, noisy.to(out.dtype.element_ty), mask=inside)


def _philox(c0, k0, k1, STREAM: tl.constexpr):
    c1 = tl.zeros_like(c0)
    c2 = c1
    c3 = c1 + STREAM
    k0 = k0 + c1
    m0, m1 = c1 + _M0, c1 + _M1
    for _ in tl.static_range(_ROUNDS):
        high0, high1 = tl.umulhi(c0, m0), tl.umulhi(c2, m1)
        low0, low1 = c0 * m0, c2 * m1
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = k0 + _W0, k1 + _W1
    return c0, c1, c2, c3


def _quantile(words, KIND: tl.constexpr):
    first_bits = (words >> _SHIFT).to(tl.int64)
    q = ((first_bits - _HALF_RANGE).to(tl.float64) + 0.5) * _UNIFORM
    if KIND == "uniform":
        z = q * _UNIFORM_WIDTH
    elif KIND == "laplace":
        depth = _log(tl.abs(q) * -2.0 + 1.0) * _LAPLACE_SCALE
        z = tl.where(q < 0.0, depth, -depth)
    else:
        z = _normal(q)
    return z


def _normal(q):
    r = _CENTRE_SQUARE - q * q
    centre = q * (_horner(_CENTRE_ABOVE, r, 8) / _horner(_CENTRE_BELOW, r, 8))
    depth = tl.sqrt(-_log(0.5 - tl.abs(q)))
    r = depth - _TAIL_SHIFT
    tail = _horner(_TAIL_ABOVE, r, 8) / _horner(_TAIL_BELOW, r, 8)
    if tl.max((depth > _FAR).to(tl.int32), axis=0) > 0:
        r = depth - _FAR
        tail = tl.where(depth > _FAR, _horner(_FAR_ABOVE, r, 8) / _horner(_FAR_BELOW, r, 8), tail)
    return tl.where(tl.abs(q) > _CENTRE, tl.where(q < 0.0, -tail, tail), centre)


def _log(x):
    bits = x.to(tl.int64, bitcast=True)
    exponent = (bits - _SQRT_HALF_BITS) >> _FRACTION_BITS
    fraction = (bits - (exponent << _FRACTION_BITS)).to(tl.float64, bitcast=True)
    s = (fraction - 1.0) / (fraction + 1.0)
    square = s * s
    series = _horner(_SERIES, square, _TERMS) * square * s
    e = exponent.to(tl.float64)
    return e * _LOG_2_HIGH + (s * 2.0 + series + e * _LOG_2_LOW)


def _horner(C: tl.constexpr, x, COUNT: tl.constexpr):
    value = x * C[COUNT - 1] + C[COUNT - 2]
    for i in tl.static_range(COUNT - 2):
        value = value * x + C[COUNT - 3 - i]
    return value

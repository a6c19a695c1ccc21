"""Quantiles of the normal, Laplace and uniform distributions, the same bits on every machine.

Words become centred uniforms q = (k + 1/2) 2^-53 - 1/2, k the first 53 bits of a word: exact in float64 as they stand,
never -1/2, 0 or 1/2, and q changes nothing but its sign when all 53 bits do. The normal quantile is Wichura's algorithm
AS 241, PPND16 (Applied Statistics 37, 1988): a quotient of two polynomials of degree 7 in q^2 near the median, in
r = sqrt(-log p) with p = 1/2 - |q| beyond, p exact too. Only +, -, *, / and square roots, which IEEE 754 rounds
correctly, and the logarithm of `robustcert.smoothing.logarithm`: libraries, processors and devices have nothing left to
differ in. Measured against 50 digits: relative error at most 5.8 * 2^-53.

Works in place, in pieces that fit in the processor's cache.
"""

from __future__ import annotations

import math
from threading import local

import numpy as np
from numpy.typing import NDArray

from robustcert.smoothing.logarithm import horner, natural_logarithm

UNIFORM_BITS = 53
HALF_RANGE = 1 << (UNIFORM_BITS - 1)

# AS 241: numerator and denominator, lowest power first, of each of its three regions.
CENTRE = 0.425
CENTRE_SQUARE = 0.180625
CENTRE_ABOVE = (
    3.3871328727963666080e0,
    1.3314166789178437745e2,
    1.9715909503065514427e3,
    1.3731693765509461125e4,
    4.5921953931549871457e4,
    6.7265770927008700853e4,
    3.3430575583588128105e4,
    2.5090809287301226727e3,
)
CENTRE_BELOW = (
    1.0,
    4.2313330701600911252e1,
    6.8718700749205790830e2,
    5.3941960214247511077e3,
    2.1213794301586595867e4,
    3.9307895800092710610e4,
    2.8729085735721942674e4,
    5.2264952788528545610e3,
)
TAIL_SHIFT = 1.6
TAIL_ABOVE = (
    1.42343711074968357734e0,
    4.63033784615654529590e0,
    5.76949722146069140550e0,
    3.64784832476320460504e0,
    1.27045825245236838258e0,
    2.41780725177450611770e-1,
    2.27238449892691845833e-2,
    7.74545014278341407640e-4,
)
TAIL_BELOW = (
    1.0,
    2.05319162663775882187e0,
    1.67638483018380384940e0,
    6.89767334985100004550e-1,
    1.48103976427480074590e-1,
    1.51986665636164571966e-2,
    5.47593808499534494600e-4,
    1.05075007164441684324e-9,
)
FAR = 5.0
FAR_ABOVE = (
    6.65790464350110377720e0,
    5.46378491116411436990e0,
    1.78482653991729133580e0,
    2.96560571828504891230e-1,
    2.65321895265761230930e-2,
    1.24266094738807843860e-3,
    2.71155556874348757815e-5,
    2.01033439929228813265e-7,
)
FAR_BELOW = (
    1.0,
    5.99832206555887937690e-1,
    1.36929880922735805310e-1,
    1.48753612908506148525e-2,
    7.86869131145613259100e-4,
    1.84631831751005468180e-5,
    1.42151175831644588870e-7,
    2.04426310338993978564e-15,
)

UNIFORM_WIDTH = 2 * math.sqrt(3)  # 3.4641016151377544; of unit variance, as is
LAPLACE_SCALE = math.sqrt(0.5)  # 0.7071067811865476

PIECE = 1 << 15  # numbers at a time, so that four arrays fit in a processor's second cache
LAPLACE_PIECE = 1 << 13  # more arrays, made anew each time: small enough that they are not given back to the system


class _Scratch(local):
    """Arrays of one thread, kept: giving 256 kB back to the system and asking again takes as long as the work."""

    def __init__(self) -> None:
        self.arrays = np.empty((4, PIECE))


_scratch = _Scratch()


def scratch_for(words: int) -> NDArray[np.float64]:
    """Memory for the centred uniforms of one piece, which the thread's next call overwrites; new if they are more."""
    return _scratch.arrays[3, :words] if words <= PIECE else np.empty(words)


def centred_uniforms(words: NDArray[np.uint64], out: NDArray[np.float64]) -> NDArray[np.float64]:
    """q in (-1/2, 1/2) of each 64-bit word, exactly, into `out`; the words are overwritten.

    >>> centred_uniforms(np.array([0, 2**64 - 1], dtype=np.uint64), np.empty(2)) + [0.5, -0.5]
    array([ 5.55111512e-17, -5.55111512e-17])
    """
    words >>= np.uint64(64 - UNIFORM_BITS)
    steps = words.view(np.int64)
    steps -= HALF_RANGE
    out[:] = steps
    out += 0.5
    out *= 2.0**-UNIFORM_BITS
    return out


def normal_quantile(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Phi^-1(1/2 + q) in place of q (N,), contiguous and within (-1/2, 1/2); returns q.

    >>> normal_quantile(np.array([0.0, 0.475, -0.475]))
    array([ 0.        ,  1.95996398, -1.95996398])
    """
    for start in range(0, q.size, PIECE):
        piece = q[start : start + PIECE]
        free = _scratch.arrays[:3, : piece.size]
        beyond = np.flatnonzero(np.abs(piece, out=free[0]) > CENTRE)
        tail = _tail(piece[beyond])
        _centre(piece, free)
        piece[beyond] = tail
    return q


def laplace_quantile(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quantile 1/2 + q of the Laplace distribution of unit variance, sign(-q) log(1 - 2 |q|) / sqrt(2), in place of q.

    >>> laplace_quantile(np.array([0.25, -0.25]))
    array([ 0.49012907, -0.49012907])
    """
    for start in range(0, q.size, LAPLACE_PIECE):
        piece = q[start : start + LAPLACE_PIECE]
        tail = np.abs(piece)
        tail *= -2.0
        tail += 1.0  # exact: twice the probability of the smaller tail
        depth = natural_logarithm(tail)
        depth *= LAPLACE_SCALE
        np.copysign(depth, piece, out=piece)
    return q


def uniform_quantile(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """Quantile 1/2 + q of the uniform distribution of unit variance, within sqrt(3) of 0, in place of q."""
    q *= UNIFORM_WIDTH
    return q


def _centre(q: NDArray[np.float64], free: NDArray[np.float64]) -> None:
    """The region |q| <= CENTRE, in place; elsewhere numbers of no meaning."""
    r, above, below = free
    np.multiply(q, q, out=r)
    np.subtract(CENTRE_SQUARE, r, out=r)
    horner(CENTRE_ABOVE, r, above)
    above /= horner(CENTRE_BELOW, r, below)
    q *= above


def _tail(q: NDArray[np.float64]) -> NDArray[np.float64]:
    """The regions |q| > CENTRE; one draw in 36 thousand million lies beyond r = FAR."""
    p = 0.5 - np.abs(q)
    r = natural_logarithm(p)
    np.negative(r, out=r)
    np.sqrt(r, out=r)
    far = np.flatnonzero(r > FAR)
    beyond = r[far] - FAR
    r -= TAIL_SHIFT
    z = horner(TAIL_ABOVE, r, p)
    z /= horner(TAIL_BELOW, r, np.empty_like(r))
    if far.size:
        z[far] = horner(FAR_ABOVE, beyond, np.empty_like(beyond)) / horner(FAR_BELOW, beyond, np.empty_like(beyond))
    return np.copysign(z, q, out=z)

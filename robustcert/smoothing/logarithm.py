"""Natural logarithm of float64 from additions, multiplications and one division: the same bits on every machine.

Libraries' logarithms differ in the last bit from one version and processor to the next. Here x = 2^e m with m between
sqrt(1/2) and sqrt(2), s = (m - 1) / (m + 1), and log m = 2 s + s^3 P(s^2), the series of the inverse hyperbolic
tangent. P has degree 6 and was fitted in 60 digits at Chebyshev's points; cut there, log m has a relative error of
4.6e-18. log 2 is a sum of two numbers, the first short enough that its product with e is exact. Measured against 50
digits: relative error at most 2.2 * 2^-53. Every step here is one that IEEE 754 rounds correctly, and numpy gives each
its own pass, so that no compiler can fuse two of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

SERIES = (
    0.666666666666667,
    0.39999999999899505,
    0.28571428625975515,
    0.22222211134790545,
    0.181828891255921,
    0.15331721589574307,
    0.14616449820782476,
)
LOG_2_HIGH = 0.6931471804855391  # its last 20 bits are zero
LOG_2_LOW = 7.440617110012397e-11
SQRT_HALF_BITS = 0x3FE6A09E667F3BCD  # of sqrt(1/2) in float64: what lies above it, per 2^52, is the exponent e
FRACTION_BITS = 52


def horner(coefficients: Sequence[float], x: NDArray[np.float64], out: NDArray[np.float64]) -> NDArray[np.float64]:
    """c0 + x (c1 + x (c2 + ...)) into `out`, which may not share memory with x.

    >>> horner((1.0, 2.0, 3.0), np.array([2.0]), np.empty(1))
    array([17.])
    """
    *rest, second, first = coefficients
    np.multiply(x, first, out=out)
    out += second
    for coefficient in reversed(rest):
        out *= x
        out += coefficient
    return out


def natural_logarithm(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """log x of positive, normal float64 (N,), in a new array.

    >>> natural_logarithm(np.array([1.0, 0.5]))
    array([ 0.        , -0.69314718])
    """
    bits = np.ascontiguousarray(x).view(np.int64)
    exponent = bits - SQRT_HALF_BITS
    exponent >>= FRACTION_BITS
    s = (bits - (exponent << FRACTION_BITS)).view(np.float64)
    divisor = s + 1.0
    s -= 1.0
    s /= divisor
    square = s * s
    series = horner(SERIES, square, divisor)
    series *= square
    series *= s
    s *= 2.0
    s += series
    e = exponent.astype(np.float64)
    s += e * LOG_2_LOW
    e *= LOG_2_HIGH
    e += s
    return e

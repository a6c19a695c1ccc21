"""The noise of `robustcert.smoothing.noise` in plain torch operations, for a device without a kernel of its own.

Shapes: R rows, G = ceil(D / 4) blocks of four words a row, D coordinates.

64-bit words are int64 here: sums and products wrap around, a shift to the right fills up with the sign and is masked,
and the high half of a product is put together from products of 32-bit halves. The quantile functions take the same
steps in the same order as those of numpy, each an operation of its own. Additions, multiplications and divisions of
float64 round correctly on a CPU and in CUDA. Square roots do in numpy, CUDA and PTX, but not in torch on a CPU, where
MKL's are a last bit off in one of 70 (torch 2.13): here they are corrected by their exact remainder.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from robustcert.smoothing import logarithm, normal_quantile
from robustcert.smoothing.noise_kinds import NoiseName

PHILOX_ROUNDS = 10
MULTIPLIERS = (0xD2E7470EE14C6C93, 0xCA5A826395121157)
KEY_INCREMENTS = (0x9E3779B97F4A7C15, 0xBB67AE8584CAA73B)
HALF = 32
LOW_HALF = (1 << HALF) - 1
UNIFORM_SHIFT = 64 - normal_quantile.UNIFORM_BITS
SPLITTER = float((1 << 27) + 1)  # cuts 53 bits in two halves (Dekker 1971)
FIRST_BITS = (1 << normal_quantile.UNIFORM_BITS) - 1


def signed(word: int) -> int:
    """The int64 with the bits of a 64-bit word.

    >>> signed(2**64 - 1)
    -1
    """
    return word - (1 << 64) if word >> 63 else word


def philox(counter: Sequence[Tensor], key: Sequence[Tensor]) -> tuple[Tensor, ...]:
    """The four words of Philox4x64-10 (Salmon et al. 2011) of a counter of four words and a key of two, all int64."""
    c0, c1, c2, c3 = counter
    k0, k1 = key
    for _ in range(PHILOX_ROUNDS):
        high0, high1 = _high_product(c0, MULTIPLIERS[0]), _high_product(c2, MULTIPLIERS[1])
        low0, low1 = c0 * signed(MULTIPLIERS[0]), c2 * signed(MULTIPLIERS[1])
        c0, c1, c2, c3 = high1 ^ c1 ^ k0, low1, high0 ^ c3 ^ k1, low0
        k0, k1 = k0 + signed(KEY_INCREMENTS[0]), k1 + signed(KEY_INCREMENTS[1])
    return c0, c1, c2, c3


def words_of_rows(*, key0: int, sample_ids_R: Tensor, draws_R: Tensor, stream: int, blocks: int) -> Tensor:
    """Words (R, 4 G) as int64 of draw draws_R[r] of sample sample_ids_R[r]."""
    numbers_G = torch.arange(1, blocks + 1, device=draws_R.device)
    first_RG = draws_R[:, None] * blocks + numbers_G
    zero_RG = torch.zeros_like(first_RG)
    key = (torch.full_like(first_RG, signed(key0)), sample_ids_R[:, None].expand_as(first_RG))
    words = philox((first_RG, zero_RG, zero_RG, torch.full_like(first_RG, stream)), key)
    return torch.stack(words, dim=-1).flatten(1)


def standard_noise(words: Tensor, *, kind: NoiseName) -> Tensor:
    """Noise of variance 1, float64, of int64 words of any shape."""
    first_bits = (words >> UNIFORM_SHIFT) & FIRST_BITS
    q = ((first_bits - normal_quantile.HALF_RANGE).double() + 0.5) * 2.0**-normal_quantile.UNIFORM_BITS
    return QUANTILES[kind](q)


def natural_logarithm(x: Tensor) -> Tensor:
    """log x as `robustcert.smoothing.logarithm` has it."""
    bits = x.view(torch.int64)
    exponent = (bits - logarithm.SQRT_HALF_BITS) >> logarithm.FRACTION_BITS
    fraction = (bits - (exponent << logarithm.FRACTION_BITS)).view(torch.float64)
    s = (fraction - 1.0) / (fraction + 1.0)
    square = s * s
    series = _horner(logarithm.SERIES, square) * square * s
    e = exponent.double()
    return e * logarithm.LOG_2_HIGH + (s * 2.0 + series + e * logarithm.LOG_2_LOW)


def square_root(x: Tensor) -> Tensor:
    """The float64 next to the root of positive x: torch's, and what the remainder x - root^2, taken exactly, adds."""
    root = x.sqrt()
    shifted = root * SPLITTER
    high = shifted - (shifted - root)
    low = root - high
    square = root * root
    lost = (high * high - square + high * low * 2.0) + low * low
    return root + (x - square - lost) / (root * 2.0)


def _high_product(word: Tensor, factor: int) -> Tensor:
    """Bits 64 ... 127 of the product of two words without sign."""
    high, low = (word >> HALF) & LOW_HALF, word & LOW_HALF
    factor_high, factor_low = factor >> HALF, factor & LOW_HALF
    low_low, low_high, high_low = low * factor_low, low * factor_high, high * factor_low
    carry = ((low_low >> HALF) & LOW_HALF) + (low_high & LOW_HALF) + (high_low & LOW_HALF)
    upper = ((low_high >> HALF) & LOW_HALF) + ((high_low >> HALF) & LOW_HALF)
    return high * factor_high + upper + (carry >> HALF)


def _horner(coefficients: Sequence[float], x: Tensor) -> Tensor:
    *rest, second, first = coefficients
    value = x * first + second
    for coefficient in reversed(rest):
        value = value * x + coefficient
    return value


def _normal_quantile(q: Tensor) -> Tensor:
    r = normal_quantile.CENTRE_SQUARE - q * q
    centre = q * (_horner(normal_quantile.CENTRE_ABOVE, r) / _horner(normal_quantile.CENTRE_BELOW, r))
    beyond = q.abs() > normal_quantile.CENTRE
    centre[beyond] = _tail(q[beyond])
    return centre


def _tail(q: Tensor) -> Tensor:
    r = square_root(-natural_logarithm(0.5 - q.abs()))
    near, far = r - normal_quantile.TAIL_SHIFT, r - normal_quantile.FAR
    z_near = _horner(normal_quantile.TAIL_ABOVE, near) / _horner(normal_quantile.TAIL_BELOW, near)
    z_far = _horner(normal_quantile.FAR_ABOVE, far) / _horner(normal_quantile.FAR_BELOW, far)
    return torch.where(r > normal_quantile.FAR, z_far, z_near).copysign(q)


def _laplace_quantile(q: Tensor) -> Tensor:
    return (natural_logarithm(q.abs() * -2.0 + 1.0) * normal_quantile.LAPLACE_SCALE).copysign(q)


def _uniform_quantile(q: Tensor) -> Tensor:
    return q * normal_quantile.UNIFORM_WIDTH


QUANTILES: dict[NoiseName, Callable[[Tensor], Tensor]] = {
    "gaussian": _normal_quantile,
    "uniform": _uniform_quantile,
    "laplace": _laplace_quantile,
}

"""Oracle: mpmath at 50 digits. The bits themselves are recorded, for another machine to be compared with."""

from __future__ import annotations

import hashlib

import mpmath
import numpy as np

from robustcert.smoothing.logarithm import LOG_2_HIGH, LOG_2_LOW, SERIES, horner, natural_logarithm


def test_logarithms_are_right_to_three_halves_of_a_unit_in_the_last_place() -> None:
    """Relative error at most 3 * 2^-53, over all of the noise's range and at both sides of 1, where others lose it."""
    generator = np.random.default_rng(0)
    near_one = 1 + np.array([-1.0, 1.0]) * 2.0 ** generator.uniform(-52, -1.5, (400, 1))
    x = np.concatenate([np.exp(generator.uniform(-38, 3, 800)), near_one.ravel(), 2.0 ** np.arange(-54.0, 5)])
    x = x[x != 1]
    with mpmath.workdps(50):
        exact = [mpmath.log(mpmath.mpf(float(value))) for value in x]
        errors = [
            abs((mpmath.mpf(float(found)) - true) / true)
            for found, true in zip(natural_logarithm(x), exact, strict=True)
        ]
    assert max(errors) <= 3 * 2.0**-53


def test_coefficients_are_those_of_the_series_cut_where_it_is_fitted() -> None:
    """log m = 2 atanh s: an error of 4.6e-18 of log m at the end of the range; log 2 to 30 digits, its head short."""
    with mpmath.workdps(50):
        largest = ((mpmath.sqrt(2) - 1) / (mpmath.sqrt(2) + 1)) ** 2
        for square in mpmath.linspace(largest / 1000, largest, 200):
            s = mpmath.sqrt(square)
            fitted = s * square * mpmath.polyval([mpmath.mpf(c) for c in reversed(SERIES)], square)
            true = 2 * mpmath.atanh(s)
            assert abs((2 * s + fitted) / true - 1) < 1e-17
        assert abs(mpmath.mpf(LOG_2_HIGH) + mpmath.mpf(LOG_2_LOW) - mpmath.log(2)) < 1e-26
    assert (LOG_2_HIGH * 2**33).is_integer()


def test_bits_are_those_recorded() -> None:
    digest = hashlib.sha256(natural_logarithm(np.arange(1, 100_001) / 100_001.0).tobytes()).hexdigest()
    assert digest == "d5f12d0b79e89911e7dff3962316054eef25973ab8c867f6a0622bb475d526de"


def test_the_argument_is_left_alone_whatever_its_layout() -> None:
    x = np.arange(1.0, 21.0)
    assert natural_logarithm(x[::2]).tolist() == natural_logarithm(x[::2].copy()).tolist()
    assert x.tolist() == np.arange(1.0, 21.0).tolist()


def test_horner_evaluates_from_the_lowest_power() -> None:
    x = np.array([0.5, -2.0])
    assert horner((1.0, -3.0, 0.25, 2.0), x, np.empty(2)).tolist() == np.polyval([2, 0.25, -3, 1], x).tolist()

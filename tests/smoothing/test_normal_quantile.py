"""Oracles: mpmath at 50 digits, scipy's quantile functions. Digests of the bits stand for every other machine."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

import mpmath
import numpy as np
import pytest
import scipy.special
import scipy.stats
from numpy.typing import NDArray

from robustcert.smoothing.normal_quantile import (
    CENTRE,
    FAR,
    PIECE,
    centred_uniforms,
    laplace_quantile,
    normal_quantile,
    uniform_quantile,
)

Quantile = Callable[[NDArray[np.float64]], NDArray[np.float64]]
LAST = (1 << 53) - 1


def test_normal_quantiles_are_right_to_three_units_in_the_last_place() -> None:
    """Relative error at most 6 * 2^-53 in every region, at its borders, and for the 40 smallest tails there are."""
    q = _centred(_spread())
    with mpmath.workdps(50):
        errors = np.array([_relative_error(z, at) for z, at in zip(normal_quantile(q.copy()), q, strict=True)])
    far = 0.5 - np.abs(q) < np.exp(-(FAR**2))
    regions = (np.abs(q) <= CENTRE, (np.abs(q) > CENTRE) & ~far, far)
    assert all(region.sum() > 300 for region in regions)
    assert errors.max() <= 6 * 2.0**-53


def test_laplace_quantiles_are_right_to_two_units_in_the_last_place() -> None:
    """-log(2 p) / sqrt(2) of the smaller tail p, also near the median, where the logarithm is nearly 0."""
    q = _centred(np.concatenate([_spread(), (1 << 52) + np.arange(200), (1 << 52) + (1 << np.arange(52))]))
    found = laplace_quantile(q.copy())
    with mpmath.workdps(50):
        for z, at in zip(found, q, strict=True):
            true = -mpmath.sign(at) * mpmath.log(1 - 2 * abs(mpmath.mpf(float(at)))) / mpmath.sqrt(2)
            assert abs((mpmath.mpf(float(z)) - true) / true) <= 4 * 2.0**-53


@pytest.mark.parametrize(
    ("quantile", "scipys"),
    [
        (normal_quantile, scipy.stats.norm.ppf),
        (laplace_quantile, scipy.stats.laplace(scale=np.sqrt(0.5)).ppf),
        (uniform_quantile, scipy.stats.uniform(-np.sqrt(3), 2 * np.sqrt(3)).ppf),
    ],
)
def test_quantiles_are_scipys(quantile: Quantile, scipys: Quantile) -> None:
    v = np.linspace(0.001, 0.999, 2_000)
    assert quantile(v - 0.5) == pytest.approx(scipys(v), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("quantile", [normal_quantile, laplace_quantile, uniform_quantile])
def test_a_word_with_its_first_bits_changed_gives_the_opposite_number(quantile: Quantile) -> None:
    first_bits = _spread()
    assert quantile(_centred(LAST - first_bits)).tolist() == (-quantile(_centred(first_bits))).tolist()


@pytest.mark.parametrize("quantile", [normal_quantile, laplace_quantile, uniform_quantile])
def test_a_number_depends_on_nothing_beside_it(quantile: Quantile) -> None:
    """Neither on its place, nor on how many there are, nor on the piece that it falls into."""
    q = np.random.default_rng(3).uniform(-0.5, 0.5, 2 * PIECE + 77)
    whole = quantile(q.copy())
    for part in (slice(0, 1), slice(5, 8), slice(PIECE - 9, PIECE + 20), slice(1, PIECE + 2)):
        assert quantile(q[part].copy()).tolist() == whole[part].tolist()
    assert quantile(np.empty(0)).size == 0


@pytest.mark.parametrize(
    ("quantile", "digest"),
    [
        (normal_quantile, "9aa5394fe06ee3e0c9891b842e1fc02a5ac64ca5e48b7819659d92dd5a5ac368"),
        (laplace_quantile, "300d08a5fa4816af70a3b33c6cc465ff35cc96983c73eeb570bbe10a4e4534b4"),
        (uniform_quantile, "82ef63ab6220d4bb1935452adaf5642d7970247becdae9bf860380ee8b379cad"),
    ],
)
def test_bits_are_those_recorded(quantile: Quantile, digest: str) -> None:
    """SHA-256 of 100,000 numbers from words of Philox and from the tails: other bits here are other noise."""
    words = np.random.Philox(key=[1, 2], counter=[0, 0, 0, 1]).random_raw(100_000)
    words[::10] >>= np.uint64(20)
    words[5::100] >>= np.uint64(40)
    found = quantile(centred_uniforms(words, np.empty(words.size)))
    assert hashlib.sha256(found.astype("<f8").tobytes()).hexdigest() == digest


def test_uniforms_are_exact_and_never_at_an_end() -> None:
    words = np.array([0, (1 << 64) - 1, 1 << 63, (1 << 63) - 1, 0x123456789ABCDEF0], dtype=np.uint64)
    found = centred_uniforms(words.copy(), np.empty(5))
    with mpmath.workdps(50):
        for word, q in zip(words.tolist(), found.tolist(), strict=True):
            assert mpmath.mpf(q) == (mpmath.mpf(word >> 11) + mpmath.mpf(1) / 2) / mpmath.mpf(2) ** 53 - 0.5
    assert -0.5 < found.min() == -found[1]
    assert 0 not in found


def _spread() -> NDArray[np.int64]:
    """First bits of words: over all ranges, near the median, in both tails, at the borders of regions."""
    generator = np.random.default_rng(0)
    borders = np.array([0.5 - CENTRE, np.exp(-(FAR**2)), 1 - np.exp(-(FAR**2))]) * 2**53
    return np.concatenate(
        [
            generator.integers(0, 1 << 53, 500),
            (2 ** generator.uniform(0, 52, 800)).astype(np.int64),
            LAST - (2 ** generator.uniform(0, 52, 800)).astype(np.int64),
            (borders[:, None] + np.arange(-20, 21)).astype(np.int64).ravel(),
            np.arange(40),
        ]
    )


def _centred(first_bits: NDArray[np.int64]) -> NDArray[np.float64]:
    return centred_uniforms(first_bits.astype(np.uint64) << np.uint64(11), np.empty(first_bits.size))


def _relative_error(z: float, q: float) -> float:
    """Of Phi(z) against 1/2 + q, carried to z: one step of Newton's method from a number this close is exact."""
    found, centred = mpmath.mpf(float(z)), mpmath.mpf(float(q))
    excess = (mpmath.erf(abs(found) / mpmath.sqrt(2)) / 2) - abs(centred)
    return float(abs(excess / mpmath.npdf(found) / found))

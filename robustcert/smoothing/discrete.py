"""Certificates for binary and categorical features by randomized flips: regions of constant likelihood ratio, exactly.

Bojchevski, Klicpera and Guennemann (2020), "Efficient robustness certificates for discrete data", sections 4 to 6:
noise that adds ones with probability p+ and deletes them with p-, so that sparse rows stay sparse. Lee et al. (2019),
"Tight certificates of adversarial robustness for randomly smoothed classifiers", for K categories: keep with
probability a, else one of the others, b = (1 - a) / (K - 1) each.

The noise around a row x and around a changed row x~ divides all outcomes into few regions of constant ratio P(z | x) /
P(z | x~). The worst classifier that votes right with probability pA around x spends it where the ratio is highest; what
that weighs around x~ is a lower bound of its probability there. Everything is integers: probabilities are whole parts
of 2^53, as the sampler's thresholds are (flip_noise.py), so that the certificate is of the noise that was drawn. The
bounds are tight: a classifier that attains them exists, and tests enumerate it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import comb

from robustcert.errors import InputError, expected

PARTS = 1 << 53
HALF = Fraction(1, 2)


@dataclass(frozen=True, kw_only=True)
class BinaryFlips:
    """Parts of 2^53: `add` turns a 0 to 1, `delete` a 1 to 0; add + delete < 2^53."""

    add: int
    delete: int

    def __post_init__(self) -> None:
        if min(self.add, self.delete) < 0 or self.add + self.delete >= PARTS:
            got = f"{self.add / PARTS:g} and {self.delete / PARTS:g}"
            remedy = "lower one; above, the noise says the opposite of the row"
            raise InputError(expected("flip probabilities of 0 or more, together below 1", got=got, remedy=remedy))


@dataclass(frozen=True, kw_only=True)
class CategoryFlips:
    """`categories` = K values; `other` parts of 2^53 go to each value but the own one, which keeps the rest."""

    categories: int
    other: int

    def __post_init__(self) -> None:
        if self.categories < 2 or not 0 < self.other * self.categories < PARTS:
            got = f"{self.categories} categories, {self.other / PARTS:g} each"
            remedy = "keep the own value more often than any other"
            raise InputError(expected("2 categories or more, and 0 < b < 1/K", got=got, remedy=remedy))

    @property
    def keep(self) -> int:
        """Parts of 2^53 that keep the own value."""
        return PARTS - (self.categories - 1) * self.other


def binary_flips(*, add: float, delete: float) -> BinaryFlips:
    """Flips of these probabilities, to the nearest 2^-53."""
    return BinaryFlips(add=round(Fraction(add) * PARTS), delete=round(Fraction(delete) * PARTS))


def category_flips(*, categories: int, keep: float) -> CategoryFlips:
    """Flips that keep a value with about this probability: the others share the rest in equal parts of 2^53."""
    return CategoryFlips(categories=categories, other=round((1 - Fraction(keep)) * PARTS / (categories - 1)))


@dataclass(frozen=True, kw_only=True)
class Regions:
    """Probabilities of the regions around x (`clean`) and x~ (`changed`), parts of `whole`, highest ratio first."""

    clean: tuple[int, ...]
    changed: tuple[int, ...]
    whole: int

    def lowest(self, p: Fraction) -> Fraction:
        """The least probability around x~ of a set that has probability `p` around x."""
        return _filled(p, self.clean, self.changed, whole=self.whole)

    def highest(self, p: Fraction) -> Fraction:
        """The greatest probability around x~ of a set that has probability `p` around x: what the rest leaves."""
        return 1 - self.lowest(1 - p)

    def needed(self) -> Fraction:
        """p0: the probability around x above which the class keeps more than half around x~."""
        return 1 - _filled(HALF, self.changed[::-1], self.clean[::-1], whole=self.whole)

    def keeps(self, p: Fraction, rival: Fraction) -> bool:
        """Whether a class of probability `p` or more beats every rival of probability `rival` or less around x~."""
        return self.lowest(p) > self.highest(rival)


@lru_cache(maxsize=4096)
def binary_regions(noise: BinaryFlips, *, added: int, deleted: int) -> Regions:
    """Regions for a row with `added` more and `deleted` fewer ones: q = 0 ... bits that the noise made equal to x~.

    The ratio is a constant times (p+ p- / ((1 - p+) (1 - p-)))^q: it falls with q, since p+ + p- < 1.
    """
    add, delete = noise.add, noise.delete
    clean = _product(_binomial(added, add), _binomial(deleted, delete))
    changed = _product(_binomial(added, PARTS - delete), _binomial(deleted, PARTS - add))
    return Regions(clean=clean, changed=changed, whole=PARTS ** (added + deleted))


@lru_cache(maxsize=4096)
def category_regions(noise: CategoryFlips, *, changed: int) -> Regions:
    """Regions for `changed` features: s = features equal to x less those equal to x~; the ratio is (a / b)^s."""
    clean: tuple[int, ...] = (1,)
    if changed:
        one_fewer = category_regions(noise, changed=changed - 1)
        clean = _product(one_fewer.clean, (noise.keep, PARTS - noise.keep - noise.other, noise.other))
    return Regions(clean=clean, changed=clean[::-1], whole=PARTS**changed)


def certified_categories(
    p: Fraction, *, noise: CategoryFlips, features: int, rival: Fraction | None = None
) -> int | None:
    """Most of `features` features whose change can't change the class; None: abstain.

    `p` is a lower bound of its probability, `rival` an upper bound of any other's, 1 - p where absent.
    """
    return _most(lambda changed: category_regions(noise, changed=changed), features, p, rival)


def certified_additions(
    p: Fraction, *, noise: BinaryFlips, deleted: int, features: int, rival: Fraction | None = None
) -> int | None:
    """Most ones that may be added, beside `deleted` taken away, without changing the class; None: not even none.

    One row of the radii (r_a, r_d) of Bojchevski et al. (2020): every pair that is smaller in both is certified too.
    """
    return _most(lambda added: binary_regions(noise, added=added, deleted=deleted), features, p, rival)


def certified_pairs(
    p: Fraction, *, noise: BinaryFlips, ones: int, zeros: int, rival: Fraction | None = None
) -> tuple[tuple[int, int], ...]:
    """Radii (additions, deletions) that no other certified pair exceeds, for a row with so many ones and zeros."""
    pairs: list[tuple[int, int]] = []
    most = zeros
    for deleted in range(ones + 1):
        found = certified_additions(p, noise=noise, deleted=deleted, features=most, rival=rival)
        if found is None:
            break
        pairs = [pair for pair in pairs if pair[0] > found]
        pairs.append((found, deleted))
        most = found
    return tuple(pairs)


def failure_at(regions: Regions) -> Fraction:
    """The probability of failure below which these regions are certified."""
    return 1 - regions.needed()


def _most(regions_of: Callable[[int], Regions], features: int, p: Fraction, rival: Fraction | None) -> int | None:
    """Largest size up to which the class keeps its place; larger changes are never easier to survive."""
    other = 1 - p if rival is None else min(rival, 1 - p)
    if p <= other:
        return None
    certified = None
    for size in range(features + 1):
        if not regions_of(size).keeps(p, other):
            break
        certified = size
    return certified


def _filled(p: Fraction, spent: Sequence[int], gained: Sequence[int], *, whole: int) -> Fraction:
    """What is gained by spending `p`, region by region, the last one in part."""
    left, total = p * whole, Fraction(0)
    for cost, gain in zip(spent, gained, strict=True):
        if cost >= left:
            return (total + (gain * left / cost if cost else 0)) / whole
        left -= cost
        total += gain
    return total / whole


def _binomial(trials: int, parts: int) -> tuple[int, ...]:
    """Numerators of Bin(trials, parts / 2^53) over 2^(53 trials)."""
    return tuple(comb(trials, k) * parts**k * (PARTS - parts) ** (trials - k) for k in range(trials + 1))


def _product(left: Sequence[int], right: Sequence[int]) -> tuple[int, ...]:
    terms = [0] * (len(left) + len(right) - 1)
    for i, a in enumerate(left):
        for j, b in enumerate(right):
            terms[i + j] += a * b
    return tuple(terms)

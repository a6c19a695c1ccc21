"""Regions against enumeration of every outcome with exact fractions, and the radii of the specification."""

from __future__ import annotations

from fractions import Fraction
from itertools import product

import pytest

from robustcert.errors import InputError
from robustcert.smoothing.discrete import (
    PARTS,
    BinaryFlips,
    CategoryFlips,
    Regions,
    binary_flips,
    binary_regions,
    category_flips,
    category_regions,
    certified_additions,
    certified_categories,
    certified_pairs,
    failure_at,
)

HALF = Fraction(1, 2)
PROBABILITIES = [Fraction(n, 20) for n in range(21)]


def neyman_pearson(p: Fraction, outcomes: list[tuple[Fraction, Fraction]]) -> Fraction:
    """The least P(A | x~) of sets with P(A | x) = p, over outcomes (P(z | x), P(z | x~)), one by one."""
    left, total = p, Fraction(0)
    ordered = sorted(outcomes, key=lambda pair: pair[1] / pair[0] if pair[0] else Fraction(10**9))
    for clean, changed in ordered:
        share = min(Fraction(1), left / clean) if clean else Fraction(0)
        left, total = left - share * clean, total + share * changed
    return total


def outcomes_of_bits(noise: BinaryFlips, added: int, deleted: int) -> list[tuple[Fraction, Fraction]]:
    add, delete = Fraction(noise.add, PARTS), Fraction(noise.delete, PARTS)
    x = [0] * added + [1] * deleted
    found = []
    for z in product((0, 1), repeat=len(x)):
        around = []
        for row in (x, [1 - bit for bit in x]):
            p = Fraction(1)
            for bit, value in zip(row, z, strict=True):
                flip = delete if bit else add
                p *= flip if bit != value else 1 - flip
            around.append(p)
        found.append((around[0], around[1]))
    return found


def outcomes_of_categories(noise: CategoryFlips, changed: int) -> list[tuple[Fraction, Fraction]]:
    keep, other = Fraction(noise.keep, PARTS), Fraction(noise.other, PARTS)
    found = []
    for z in product(range(noise.categories), repeat=changed):
        clean = changed_p = Fraction(1)
        for value in z:
            clean *= keep if value == 0 else other
            changed_p *= keep if value == 1 else other
        found.append((clean, changed_p))
    return found


@pytest.mark.parametrize("flips", [(0.01, 0.6), (0.2, 0.2), (0.0, 0.4), (0.3, 0.0), (0.45, 0.5)])
@pytest.mark.parametrize(("added", "deleted"), [(0, 0), (1, 0), (0, 1), (2, 1), (1, 3), (3, 3)])
def test_regions_of_bits_give_the_bounds_of_all_outcomes(flips: tuple[float, float], added: int, deleted: int) -> None:
    noise = binary_flips(add=flips[0], delete=flips[1])
    regions, outcomes = binary_regions(noise, added=added, deleted=deleted), outcomes_of_bits(noise, added, deleted)
    for p in PROBABILITIES:
        assert regions.lowest(p) == neyman_pearson(p, outcomes)
        assert regions.highest(p) == 1 - neyman_pearson(1 - p, outcomes)


@pytest.mark.parametrize(("categories", "keep"), [(2, 0.6), (3, 0.5), (4, 0.6), (5, 0.9)])
@pytest.mark.parametrize("changed", [0, 1, 2, 4])
def test_regions_of_categories_give_the_bounds_of_all_outcomes(categories: int, keep: float, changed: int) -> None:
    noise = category_flips(categories=categories, keep=keep)
    regions, outcomes = category_regions(noise, changed=changed), outcomes_of_categories(noise, changed)
    for p in PROBABILITIES:
        assert regions.lowest(p) == neyman_pearson(p, outcomes)
        assert regions.highest(p) == 1 - neyman_pearson(1 - p, outcomes)


@pytest.mark.parametrize(("categories", "keep", "radius"), [(2, 0.6, 58), (4, 0.6, 6), (10, 0.8, 1)])
def test_the_radii_of_the_specification(categories: int, keep: float, radius: int) -> None:
    noise = category_flips(categories=categories, keep=keep)
    assert certified_categories(Fraction(999, 1000), noise=noise, features=100) == radius


def test_the_needed_probability_is_where_bisection_on_the_bound_finds_it() -> None:
    for regions in (
        binary_regions(binary_flips(add=0.01, delete=0.6), added=1, deleted=7),
        category_regions(category_flips(categories=4, keep=0.6), changed=5),
    ):
        low, high = HALF, Fraction(1)
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (low, middle) if regions.lowest(middle) > HALF else (middle, high)
        assert abs(regions.needed() - high) < Fraction(1, 2**75)
        assert regions.lowest(regions.needed()) == HALF
        assert regions.lowest(regions.needed() + Fraction(1, 10**9)) > HALF
        assert failure_at(regions) == 1 - regions.needed()


def test_no_change_needs_more_than_half_and_any_change_more() -> None:
    noise = binary_flips(add=0.01, delete=0.6)
    needed = [binary_regions(noise, added=0, deleted=deleted).needed() for deleted in range(8)]
    assert needed[0] == HALF
    assert needed == sorted(needed)
    assert len(set(needed)) == 8


def test_a_rival_that_is_known_to_be_weak_certifies_more() -> None:
    noise, p, rival = category_flips(categories=3, keep=0.5), Fraction(6, 10), Fraction(1, 20)
    weak = certified_categories(p, noise=noise, features=20, rival=rival)
    assert certified_categories(p, noise=noise, features=20) == 0
    assert weak is not None
    assert weak > 0
    for changed in range(weak + 2):
        outcomes = outcomes_of_categories(noise, changed)
        keeps = neyman_pearson(p, outcomes) > 1 - neyman_pearson(1 - rival, outcomes)
        assert keeps == (changed <= weak)


def test_a_class_that_does_not_lead_is_not_certified() -> None:
    noise = category_flips(categories=3, keep=0.7)
    assert certified_categories(HALF, noise=noise, features=5) is None
    assert certified_categories(Fraction(4, 10), noise=noise, features=5, rival=Fraction(4, 10)) is None


def test_pairs_of_radii_are_those_that_no_other_pair_exceeds() -> None:
    noise, p = binary_flips(add=0.01, delete=0.6), Fraction(99, 100)
    pairs = certified_pairs(p, noise=noise, ones=12, zeros=12)
    certified = {
        (added, deleted)
        for added in range(13)
        for deleted in range(13)
        if neyman_pearson_certifies(binary_regions(noise, added=added, deleted=deleted), p)
    }
    frontier = {
        pair for pair in certified if not any(o != pair and o[0] >= pair[0] and o[1] >= pair[1] for o in certified)
    }
    assert set(pairs) == frontier
    assert all((a, d) in certified for most_a, most_d in pairs for a in range(most_a + 1) for d in range(most_d + 1))
    assert max(deleted for _, deleted in pairs) > max(added for added, _ in pairs)  # sparsity: deletions are cheap
    assert certified_additions(p, noise=noise, deleted=0, features=12) == max(added for added, _ in pairs)


def neyman_pearson_certifies(regions: Regions, p: Fraction) -> bool:
    outcomes = [
        (Fraction(clean, regions.whole), Fraction(changed, regions.whole))
        for clean, changed in zip(regions.clean, regions.changed, strict=True)
    ]
    return neyman_pearson(p, outcomes) > HALF


def test_equal_flips_of_bits_are_two_categories() -> None:
    bits, two = BinaryFlips(add=PARTS // 5, delete=PARTS // 5), CategoryFlips(categories=2, other=PARTS // 5)
    for p in PROBABILITIES:
        assert binary_regions(bits, added=3, deleted=2).lowest(p) == category_regions(two, changed=5).lowest(p)


def test_noise_that_contradicts_the_row_is_refused() -> None:
    with pytest.raises(InputError, match=r"together below 1, got 0\.5 and 0\.5; lower one"):
        binary_flips(add=0.5, delete=0.5)
    with pytest.raises(InputError, match=r"and 0 < b < 1/K, got 4 categories, 0\.25 each"):
        category_flips(categories=4, keep=0.25)

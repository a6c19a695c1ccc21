"""Oracles: published boundaries and characteristics, exact rational arithmetic, enumeration, scipy.stats."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
import scipy.stats

from robustcert.errors import InputError
from robustcert.smoothing.group_sequential import (
    FIRST_ALPHA,
    FIRST_BETA,
    GroupSequentialPlan,
    RadiiDecision,
    Verdict,
    decide,
    first_certifying_look,
    looks,
    operating_characteristics,
    plan,
    type_one_error,
    verdict,
)

TARGETS = (0.0, 0.25, 0.5, 1.0, 1.5, 2.0, 3.0)


def failure_at(radius: float) -> float:
    """q0 of a radius in sigma, from scipy.stats rather than from our kinds of noise."""
    return float(scipy.stats.norm.sf(radius))


def planned(radius: float, *, n_max: int = 100_000, alpha: float = 0.001, multiple: int = 1) -> GroupSequentialPlan:
    """The plan that the published tables are of: the target's own first look is among the looks."""
    q0 = failure_at(radius)
    first = first_certifying_look(q0, alpha=alpha)
    return plan(q0, alpha=alpha, looks=looks(n_max, multiple=multiple, including=[first] if first else []))


def test_looks_and_boundaries_at_half_sigma_are_the_published_ones() -> None:
    found = plan(failure_at(0.5), alpha=0.001, beta=0.01, looks=looks(100_000, multiple=1))
    assert found.looks[:17] == (8, 9, 10, 11, 12, 13, 15, 16, 18, 19, 21, 23, 26, 28, 31, 34, 37)
    certify = dict(zip(found.looks, found.certify_at, strict=True))
    published = {23: 0, 34: 1, 82829: 25013, 91112: 27543, 100_000: 30257}
    assert {n: certify[n] for n in published} == published
    assert {certify[n] for n in found.looks if n < 34 and n != 23} == {-1}
    assert found.give_up_at[:16] == (8, 8, 9, 9, 10, 10, 12, 12, 13, 14, 15, 16, 17, 18, 19, 20)
    assert found.give_up_at[-1] == 31356


PUBLISHED = [  # target in sigma, p, probability of certifying, expected draws
    (0.0, 0.55, 0.999, 1761),
    (0.0, 0.7, 1, 106),
    (0.25, 0.55, 0, 1237),
    (0.25, 0.7, 1, 395),
    (0.5, 0.55, 0, 137),
    (0.5, 0.7, 0.966, 50133),
    (0.5, 0.9, 1, 67),
    (1.0, 0.9, 1, 594),
    (1.0, 0.99, 1, 61),
    (1.0, 1.0, 1, 49),
    (1.5, 0.9, 0, 774),
    (1.5, 1.0, 1, 120),
    (2.0, 0.99, 1, 1799),
    (2.0, 1.0, 1, 361),
    (3.0, 0.99, 0, 505),
    (3.0, 0.999, 0.294, 90507),
    (3.0, 1.0, 1, 6141),
]


@pytest.mark.parametrize(("radius", "p", "certified", "draws"), PUBLISHED)
def test_operating_characteristics_are_the_published_ones(
    radius: float, p: float, certified: float, draws: int
) -> None:
    found_certified, given_up, found_draws = operating_characteristics(planned(radius), 1 - p)
    assert found_certified == pytest.approx(certified, abs=5.1e-4)
    assert round(found_draws) == draws
    assert 0 <= given_up <= 1 - found_certified + 1e-12


@pytest.mark.parametrize("alpha", [1e-2, 1e-3, 1e-4])
@pytest.mark.parametrize("radius", TARGETS)
def test_level_is_at_most_alpha_and_hardly_less(radius: float, alpha: float) -> None:
    """Discrete counts cost up to 2 % of alpha, where few failures certify."""
    for found in (planned(radius, alpha=alpha), planned(radius, alpha=alpha, n_max=200_000, multiple=32)):
        assert 0.97 * alpha < type_one_error(found) <= alpha


@pytest.mark.parametrize(("q0", "alpha"), [(0.5, 0.05), (0.3, 0.01), (0.159, 0.2), (0.02, 0.3)])
def test_boundaries_and_level_equal_those_of_exact_rational_arithmetic(q0: float, alpha: float) -> None:
    at = (*range(4, 40, 3), 47, 60)
    found = plan(q0, alpha=alpha, beta=0.05, looks=at)
    shares = exact_alpha_shares(at, q0, alpha)
    certify = boundaries(at, Fraction(q0), [Fraction(alpha) * share for share in shares])
    assert found.certify_at == certify
    first, last = math.log(at[0]), math.log(at[-1])
    beta_shares = [FIRST_BETA + (1 - FIRST_BETA) * (math.log(n) - first) / (last - first) for n in at]
    mirrored = boundaries(at, 1 - Fraction(q0), [Fraction(0.05) * Fraction(share) for share in beta_shares])
    assert found.give_up_at == tuple(
        n - c if c >= 0 else d for n, c, d in zip(at, mirrored, found.give_up_at, strict=True)
    )
    level = exact_level(at, certify, Fraction(q0))
    assert type_one_error(found) == pytest.approx(float(level), rel=1e-13)
    assert level <= Fraction(alpha)


def exact_alpha_shares(at: tuple[int, ...], q0: float, alpha: float) -> list[Fraction]:
    first = math.ceil(math.log(FIRST_ALPHA * alpha) / math.log1p(-q0))
    if first >= at[-1]:
        return [Fraction(n == at[-1]) for n in at]
    span = math.log(at[-1] / first)
    return [Fraction(FIRST_ALPHA + (1 - FIRST_ALPHA) * math.log(n / first) / span if n >= first else 0.0) for n in at]


def exact_step(mass: dict[int, Fraction], draws: int, q: Fraction) -> dict[int, Fraction]:
    for _ in range(draws):
        after: dict[int, Fraction] = {}
        for failures, chance in mass.items():
            after[failures] = after.get(failures, Fraction()) + chance * (1 - q)
            after[failures + 1] = after.get(failures + 1, Fraction()) + chance * q
        mass = after
    return mass


def boundaries(at: tuple[int, ...], q: Fraction, allowed: list[Fraction]) -> tuple[int, ...]:
    """c_k by the rule of the specification, mass by mass; -1 where no mass certifies."""
    mass, drawn, spent, found = {0: Fraction(1)}, 0, Fraction(), []
    for n, most in zip(at, allowed, strict=True):
        mass, drawn, reached = exact_step(mass, n - drawn, q), n, -1
        for failures in sorted(mass):
            if spent + mass[failures] > most:
                break
            spent, reached = spent + mass.pop(failures), failures
        found.append(reached)
    return tuple(found)


def exact_level(at: tuple[int, ...], certify: tuple[int, ...], q: Fraction) -> Fraction:
    mass, drawn, level = {0: Fraction(1)}, 0, Fraction()
    for n, c in zip(at, certify, strict=True):
        mass, drawn = exact_step(mass, n - drawn, q), n
        level += sum((mass.pop(failures) for failures in [f for f in mass if f <= c]), Fraction())
    return level


def test_level_equals_that_of_a_dense_recursion_without_windows() -> None:
    """Every cell of every look, increments from scipy.stats; to 1e-9 of alpha."""
    found = plan(failure_at(0.5), alpha=0.001, looks=looks(5_000, multiple=32))
    mass, drawn, level = np.ones(1), 0, 0.0
    for n, c in zip(found.looks, found.certify_at, strict=True):
        step = n - drawn
        mass = np.convolve(mass, scipy.stats.binom.pmf(np.arange(step + 1), step, found.q0))
        level += mass[: c + 1].sum()
        mass[: c + 1] = 0
        drawn = n
    assert type_one_error(found) == pytest.approx(level, rel=1e-9)


def test_giving_up_costs_at_most_beta_of_the_power_at_the_target_and_above() -> None:
    for radius in TARGETS:
        for beta in (0.001, 0.01, 0.2):
            found = plan(failure_at(radius), alpha=0.001, beta=beta, looks=looks(100_000))
            at_target = operating_characteristics(found, found.q0)[1]
            assert 0 < at_target <= beta * (1 + 1e-9)
            assert operating_characteristics(found, found.q0 / 2)[1] <= at_target


def test_giving_up_removes_certificates_and_never_adds_one() -> None:
    for radius in TARGETS:
        found = planned(radius)
        certified, given_up, draws = operating_characteristics(found, found.q0)
        assert certified <= type_one_error(found) <= 0.001
        assert certified + given_up <= 1
        assert found.looks[0] <= draws <= found.looks[-1]


def test_a_smaller_probability_of_failure_certifies_more_often() -> None:
    found = planned(1.0)
    chances = [operating_characteristics(found, q)[0] for q in (0.3, 0.16, 0.155, 0.15, 0.12, 0.01, 0.0)]
    assert chances == sorted(chances)
    assert chances[0] < 1e-4
    assert chances[-1] == 1.0


def test_a_radius_that_unanimous_votes_could_not_certify_is_given_up_at_the_first_look() -> None:
    """At 4.5 sigma even 200,000 of 200,000 votes leave a failure probability of .0000345 > Phi(-4.5)."""
    for q0 in (failure_at(4.5), 0.0):
        found = plan(q0, alpha=0.001, looks=looks(200_000))
        assert set(found.certify_at) == {-1}
        assert verdict(found, [0]) is Verdict.GIVEN_UP
        assert type_one_error(found) == 0.0


def test_the_last_look_may_certify_what_only_all_of_alpha_can() -> None:
    """At 3 sigma a quarter of alpha needs 6,141 unanimous votes, all of it 5,111: of 5,500 the last look tests."""
    found = plan(failure_at(3.0), alpha=0.001, looks=looks(5_500))
    assert [n for n, c in zip(found.looks, found.certify_at, strict=True) if c >= 0] == [5_500]
    assert scipy.stats.binom.cdf(found.certify_at[-1], 5_500, found.q0) <= 0.001


@pytest.mark.parametrize("multiple", [1, 32, 128])
@pytest.mark.parametrize("n_max", [1, 7, 100, 10_000, 123_457])
def test_looks_ascend_in_multiples_up_to_the_last(n_max: int, multiple: int) -> None:
    found = looks(n_max, multiple=multiple)
    assert found[-1] == n_max
    assert all(a < b for a, b in pairwise((0, *found)))
    assert all(n % multiple == 0 for n in found[:-1])
    assert all(b <= max(a * 1.1 + multiple, a + multiple) for a, b in pairwise(found))


def test_looks_take_their_ratio_and_further_looks() -> None:
    assert looks(1_000, multiple=100, ratio=2.0) == (100, 200, 400, 800, 1_000)
    assert looks(1_000, multiple=100, ratio=2.0, including=[250, 999, 5_000]) == (100, 200, 300, 400, 800, 1_000)
    assert len(looks(10_000, ratio=1.05)) > len(looks(10_000, ratio=1.1))


PLANS = tuple(
    GroupSequentialPlan(q0=q0, alpha=0.1, beta=0.1, looks=(10, 20, 30), certify_at=certify_at, give_up_at=give_up_at)
    for q0, certify_at, give_up_at in (
        (0.5, (2, 5, 9), (8, 14, 20)),
        (0.3, (-1, 3, 6), (6, 9, 12)),
        (0.1, (-1, 0, 1), (3, 3, 3)),
    )
)


@pytest.mark.parametrize(
    ("path", "certified", "decided", "used"),
    [
        ([1], 1, False, 1),  # the second radius is still open
        ([1, 3], 2, True, 2),  # certified at the second look; the third was given up there
        ([1, 1, 1], 3, True, 3),
        ([1, 1, 2], 2, True, 3),  # the last look leaves the third undecided: an abstention from it
        ([9], 0, True, 1),
        ([3], 0, False, 1),
        ([7, 14], 0, True, 2),
        ([3, 9], 0, False, 2),  # the second and third are given up, the first is open
        ([3, 9, 9], 1, True, 3),
        ([3, 9, 19], 0, True, 3),  # the last look decides nothing
        ([5, 5], 1, False, 2),
    ],
)
def test_radii_are_certified_from_the_smallest_on(path: list[int], certified: int, decided: bool, used: int) -> None:
    """Worked out by hand from the boundaries of PLANS."""
    assert decide(PLANS, path) == RadiiDecision(certified=certified, decided=decided, looks=used)


def test_a_larger_radius_counts_only_with_all_smaller_ones() -> None:
    """The second plan alone would certify; the first gave up before, so nothing is claimed."""
    first, second = PLANS[0], PLANS[1]
    strict = replace(first, give_up_at=(2, 14, 20), certify_at=(-1, -1, -1))
    assert verdict(second, [2, 3]) is Verdict.CERTIFIED
    assert decide([strict, second], [2, 3]) == RadiiDecision(certified=0, decided=True, looks=1)


def test_several_radii_on_one_stream_claim_falsely_with_probability_at_most_alpha() -> None:
    """Exact, by enumeration of every path of 30 draws in looks of 10: six radii, failure probabilities between them."""
    at, alpha = (10, 20, 30), 0.05
    q0s = (0.5, 0.45, 0.4, 0.35, 0.3, 0.25)
    plans = [plan(q0, alpha=alpha, beta=0.1, looks=at) for q0 in q0s]
    counts = np.arange(11)
    for q in (0.5, 0.45, 0.41, 0.4, 0.31, 0.3, 0.25):
        pmf = scipy.stats.binom.pmf(counts, 10, q)
        false = 0.0
        for a in range(11):
            for b in range(11):
                for c in range(11):
                    certified = decide(plans, [a, a + b, a + b + c]).certified
                    if certified and q0s[certified - 1] <= q:
                        false += pmf[a] * pmf[b] * pmf[c]
        assert false <= alpha
        assert false > 0


@pytest.mark.parametrize(
    "path", [[3, 2], [11], [-1], [1, 12], [1, 2, 3, 4]], ids=["falls", "more", "negative", "jumps", "peeks"]
)
def test_a_path_that_is_not_of_the_planned_looks_is_refused(path: list[int]) -> None:
    with pytest.raises(InputError, match="count failures at the planned looks"):
        decide(PLANS, path)


def test_plans_that_are_not_of_one_stream_are_refused() -> None:
    other = plan(0.2, alpha=0.1, looks=(10, 20))
    for plans in ([], [PLANS[0], other]):
        with pytest.raises(InputError, match="plan all radii on one stream"):
            decide(plans, [1])
    with pytest.raises(InputError, match="sort the radii"):
        decide(PLANS[::-1], [1])


@pytest.mark.parametrize(
    ("changes", "remedy"),
    [
        ({"q0": 0.6}, "ask for a radius of at least 0"),
        ({"q0": float("nan")}, "ask for a radius of at least 0"),
        ({"alpha": 0.0}, "give probabilities"),
        ({"beta": 1.0}, "give probabilities"),
        ({"looks": ()}, "take group_sequential.looks"),
        ({"looks": (10, 10)}, "take group_sequential.looks"),
        ({"looks": (0, 10)}, "take group_sequential.looks"),
    ],
)
def test_a_plan_of_nothing_is_refused(changes: dict[str, object], remedy: str) -> None:
    wanted: dict[str, object] = {"q0": 0.3, "alpha": 0.001, "beta": 0.01, "looks": (10, 20)}
    with pytest.raises(InputError, match=remedy):
        plan(**(wanted | changes))


@pytest.mark.parametrize(("n_max", "multiple", "ratio"), [(0, 1, 1.1), (10, 0, 1.1), (10, 1, 1.0)])
def test_looks_that_lead_nowhere_are_refused(n_max: int, multiple: int, ratio: float) -> None:
    with pytest.raises(InputError, match="expected n_max and multiple of at least 1"):
        looks(n_max, multiple=multiple, ratio=ratio)

"""Certify at a radius or abstain with as few draws as possible: an exact group-sequential binomial test.

Null hypothesis: the candidate fails with probability q >= q0, the failure probability that certifies the radius.
Failures are counted at planned looks. A row is certified at look k when its failures are at most c_k, given up when
they are at least d_k, and abstains when the last look decides nothing. alpha is spent along the logarithm of the draws
(Lan and DeMets 1983), a quarter of it at the first look at which no failures at all can certify; futility spends beta
the same way. c_k is found as if nobody ever gave up, so that stopping early for whatever reason keeps the level.

The recursion is that of Armitage, McPherson and Rowe (1969) in float64. Its rounding and its cut tails amount to less
than a billionth of alpha (a trimmed cell holds at most 1e-15 alpha, a window misses 1e-19, products and sums lose some
1e-10 relative), which is left unspent, and q0 is first lowered by more than any quantile function errs; so the true
level stays at most alpha. Torch-free.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from robustcert.errors import InputError, expected

FIRST_LOOK = 8
RATIO = 1.1
MULTIPLE = 32
BETA = 0.01
FIRST_ALPHA = 0.25
FIRST_BETA = 0.1
WINDOW_DEVIATIONS = 9.5
WINDOW_CELLS = 25
TRIM = 1e-15
UNSPENT = 1e-9
Q0_RELATIVE = 1e-12
Q0_ABSOLUTE = 2.0**-52

Masses = NDArray[np.float64]


class Verdict(StrEnum):
    """What one plan says about one path of failures."""

    CERTIFIED = "certified"
    GIVEN_UP = "given up"
    UNDECIDED = "undecided"


@dataclass(frozen=True, kw_only=True)
class GroupSequentialPlan:
    """Boundaries of one target: certify at `certify_at[k]` failures or fewer, give up at `give_up_at[k]` or more.

    `certify_at` is -1 at a look where nothing certifies that did not before; `give_up_at` may exceed the draws.
    """

    q0: float
    alpha: float
    beta: float
    looks: tuple[int, ...]
    certify_at: tuple[int, ...]
    give_up_at: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class RadiiDecision:
    """`certified`: how many of the ascending radii, from the first; `looks`: looks used, the path's until decided."""

    certified: int
    decided: bool
    looks: int


def looks(
    n_max: int, *, multiple: int = MULTIPLE, ratio: float = RATIO, including: Iterable[int] = ()
) -> tuple[int, ...]:
    """Numbers of draws at which failures are counted: geometric, rounded up to `multiple`; the last is `n_max`.

    `including`: further looks, such as `first_certifying_look` of a target, rounded up to `multiple` too.

    >>> looks(100, multiple=32), looks(14, multiple=1)
    ((32, 64, 96, 100), (8, 9, 10, 11, 12, 13, 14))
    """
    if n_max < 1 or multiple < 1 or not 1 < ratio < math.inf:
        got = f"n_max {n_max}, multiple {multiple}, ratio {ratio}"
        raise InputError(expected("n_max and multiple of at least 1, ratio above 1", got=got, remedy="correct them"))
    wanted = {_rounded_up(extra, multiple) for extra in including}
    x = float(max(FIRST_LOOK, multiple))
    while x < n_max:
        wanted.add(_rounded_up(x, multiple))
        x *= ratio
    return (*sorted(n for n in wanted if 0 < n < n_max), n_max)


def first_certifying_look(q0: float, *, alpha: float) -> int | None:
    """Fewest draws after which no failures at all may certify: (1 - q0)^n is a quarter of alpha; None for q0 = 0."""
    if q0 <= 0:
        return None
    return max(1, math.ceil(math.log(FIRST_ALPHA * alpha) / math.log1p(-q0) - UNSPENT))


@lru_cache(maxsize=256)
def plan(q0: float, *, alpha: float, beta: float = BETA, looks: tuple[int, ...]) -> GroupSequentialPlan:
    """The plan for failure probability `q0` = 1 - p0 at level `alpha`, giving up at most `beta` of what is certifiable.

    Where even unanimous votes at the last look could not certify, every row is given up at the first look.
    """
    _require_plan(q0, alpha=alpha, beta=beta, looks=looks)
    lowered = q0 * (1 - Q0_RELATIVE) - Q0_ABSOLUTE
    certify_at = _certify_at(lowered, alpha=alpha, looks=looks)
    attainable = max(certify_at) >= 0
    give_up_at = _give_up_at(q0, beta=beta, looks=looks) if attainable else (0,) * len(looks)
    made = GroupSequentialPlan(q0=q0, alpha=alpha, beta=beta, looks=looks, certify_at=certify_at, give_up_at=give_up_at)
    level = type_one_error(made)
    assert level <= alpha, f"plan of level {level}, not {alpha}: looks were not paid for"
    return made


def type_one_error(plan: GroupSequentialPlan) -> float:
    """Exact probability of certifying at q = q0 when nobody ever gives up; larger q certify more rarely."""
    never = tuple(n + 1 for n in plan.looks)
    return math.fsum(_stopped(plan.looks, plan.certify_at, never, plan.q0)[0])


def operating_characteristics(plan: GroupSequentialPlan, q: float) -> tuple[float, float, float]:
    """(probability of certifying, of giving up, expected draws) where the candidate fails with probability `q`."""
    certified, given_up = _stopped(plan.looks, plan.certify_at, plan.give_up_at, q)
    stopped = [a + b for a, b in zip(certified, given_up, strict=True)]
    unfinished = 1 - math.fsum(stopped)
    draws = math.fsum(n * chance for n, chance in zip(plan.looks, stopped, strict=True)) + plan.looks[-1] * unfinished
    return math.fsum(certified), math.fsum(given_up), draws


def verdict(plan: GroupSequentialPlan, path: Sequence[int]) -> Verdict:
    """What `plan` says about the cumulative failures `path` at its looks 1..k: the first boundary that they reach."""
    return _verdict_at(plan, path)[0]


def decide(plans: Sequence[GroupSequentialPlan], path: Sequence[int]) -> RadiiDecision:
    """Decision for ascending radii on one stream; `path`: cumulative failures at looks 1..k of the common looks.

    A radius counts only if its own plan and those of all smaller radii certify: their null hypotheses are nested, so a
    false claim needs a false rejection of the smallest true one, of probability at most alpha, whatever the number of
    radii. A radius that is given up gives up the larger ones. At the last look, what is undecided is an abstention.
    """
    _require_path(plans, path)
    certified, used = 0, 0
    for each in plans:
        found, at = _verdict_at(each, path)
        used = max(used, at)
        if found is not Verdict.CERTIFIED:
            decided = found is Verdict.GIVEN_UP or len(path) == len(each.looks)
            return RadiiDecision(certified=certified, decided=decided, looks=used)
        certified += 1
    return RadiiDecision(certified=certified, decided=True, looks=used)


def _verdict_at(plan: GroupSequentialPlan, path: Sequence[int]) -> tuple[Verdict, int]:
    """The verdict, and the number of looks that it took."""
    for k, (failures, certify, give_up) in enumerate(zip(path, plan.certify_at, plan.give_up_at, strict=False), 1):
        if failures <= certify:
            return Verdict.CERTIFIED, k
        if failures >= give_up:
            return Verdict.GIVEN_UP, k
    return Verdict.UNDECIDED, len(path)


def _rounded_up(x: float, multiple: int) -> int:
    return math.ceil(x / multiple) * multiple


def _certify_at(q: float, *, alpha: float, looks: tuple[int, ...]) -> tuple[int, ...]:
    """c_k by recursion: the mass that certifies is removed, and may use what alpha is allowed so far."""
    low, mass, drawn, spent, found = 0, np.ones(1), 0, 0.0, []
    for n, share in zip(looks, _alpha_shares(q, alpha=alpha, looks=looks), strict=True):
        low, mass = _advanced(low, mass, n - drawn, q)
        cumulative = np.cumsum(mass)
        count = int(np.searchsorted(cumulative, alpha * (1 - UNSPENT) * share - spent, side="right"))
        spent += float(cumulative[count - 1]) if count else 0.0
        found.append(low + count - 1 if count else -1)
        low, mass, drawn = *_trimmed(low + count, mass[count:], TRIM * alpha), n
    return tuple(found)


def _give_up_at(q: float, *, beta: float, looks: tuple[int, ...]) -> tuple[int, ...]:
    """d_k by the same recursion from above, with its own mass."""
    low, mass, drawn, spent, found = 0, np.ones(1), 0, 0.0, []
    for n, share in zip(looks, _beta_shares(looks), strict=True):
        low, mass = _advanced(low, mass, n - drawn, q)
        cumulative = np.cumsum(mass[::-1])
        count = int(np.searchsorted(cumulative, beta * share - spent, side="right"))
        spent += float(cumulative[count - 1]) if count else 0.0
        kept = len(mass) - count
        found.append(low + kept)
        low, mass, drawn = *_trimmed(low, mass[:kept], TRIM * beta), n
    return tuple(found)


def _stopped(
    looks: tuple[int, ...], certify_at: tuple[int, ...], give_up_at: tuple[int, ...], q: float
) -> tuple[list[float], list[float]]:
    """Probabilities of certifying and of giving up at each look, where the candidate fails with probability `q`."""
    low, mass, drawn = 0, np.ones(1), 0
    certified, given_up = [], []
    for n, certify, give_up in zip(looks, certify_at, give_up_at, strict=True):
        low, mass = _advanced(low, mass, n - drawn, q)
        first = min(len(mass), max(0, certify + 1 - low))
        last = max(first, min(len(mass), give_up - low))
        certified.append(float(mass[:first].sum()))
        given_up.append(float(mass[last:].sum()))
        low, mass, drawn = *_trimmed(low + first, mass[first:last], TRIM**2), n
    return certified, given_up


def _alpha_shares(q: float, *, alpha: float, looks: tuple[int, ...]) -> list[float]:
    """Share of alpha that may have been spent by each look; all of it by the last."""
    first, last = first_certifying_look(q, alpha=alpha), looks[-1]
    if first is None:
        return [0.0] * len(looks)
    if first >= last:
        return [0.0] * (len(looks) - 1) + [1.0]
    span = math.log(last / first)
    return [FIRST_ALPHA + (1 - FIRST_ALPHA) * math.log(n / first) / span if n >= first else 0.0 for n in looks]


def _beta_shares(looks: tuple[int, ...]) -> list[float]:
    span = math.log(looks[-1] / looks[0])
    return [FIRST_BETA + (1 - FIRST_BETA) * math.log(n / looks[0]) / span for n in looks] if span else [1.0]


def _advanced(low: int, mass: Masses, draws: int, q: float) -> tuple[int, Masses]:
    """Distribution of the failures after `draws` more; mass[i] is the probability of low + i failures."""
    if not len(mass):
        return low, mass
    step_low, step = _binomial(draws, q)
    return low + step_low, np.convolve(mass, step)


@lru_cache(maxsize=1024)
def _binomial(n: int, q: float) -> tuple[int, Masses]:
    """Bin(n, q) without its far tails, from ratios of neighbours outward from the mode: relative error some 1e-13."""
    q = min(1.0, max(0.0, q))
    if q in (0.0, 1.0):
        return round(n * q), np.ones(1)
    reach = WINDOW_DEVIATIONS * math.sqrt(n * q * (1 - q)) + WINDOW_CELLS
    low, high = max(0, math.floor(n * q - reach)), min(n, math.ceil(n * q + reach))
    mode = min(high, math.floor((n + 1) * q))
    above, below = np.arange(mode, high), np.arange(mode, low, -1)
    odds = q / (1 - q)
    rising = np.cumprod((n - above) / (above + 1) * odds)
    falling = np.cumprod(below / (n - below + 1) / odds)
    mass = np.concatenate([falling[::-1], np.ones(1), rising])
    mass /= math.fsum(mass)
    mass.flags.writeable = False
    return low, mass


def _trimmed(low: int, mass: Masses, least: float) -> tuple[int, Masses]:
    kept = np.flatnonzero(mass > least)
    if not len(kept):
        return low, mass[:0]
    return low + int(kept[0]), mass[kept[0] : kept[-1] + 1]


def _require_plan(q0: float, *, alpha: float, beta: float, looks: tuple[int, ...]) -> None:
    if not 0 <= q0 <= 0.5:
        raise InputError(expected("0 <= q0 <= 1/2", got=q0, remedy="ask for a radius of at least 0"))
    if not (0 < alpha < 1 and 0 < beta < 1):
        raise InputError(expected("alpha and beta between 0 and 1", got=(alpha, beta), remedy="give probabilities"))
    if not looks or looks[0] < 1 or any(a >= b for a, b in pairwise(looks)):
        raise InputError(expected("ascending looks from 1", got=looks, remedy="take group_sequential.looks"))


def _require_path(plans: Sequence[GroupSequentialPlan], path: Sequence[int]) -> None:
    """Failures at the planned looks only: a boundary that is crossed elsewhere (peeking) was not paid for."""
    if not plans or any(each.looks != plans[0].looks for each in plans):
        raise InputError(expected("plans with the same looks", got=len(plans), remedy="plan all radii on one stream"))
    if any(a.q0 <= b.q0 for a, b in pairwise(plans)):
        raise InputError(expected("radii in ascending order", got=[each.q0 for each in plans], remedy="sort the radii"))
    steps = zip((0, *path), path, (0, *plans[0].looks), plans[0].looks, strict=False)
    if len(path) > len(plans[0].looks) or any(not 0 <= b - a <= n - m for a, b, m, n in steps):
        remedy = "count failures at the planned looks, from the first draw"
        raise InputError(expected("cumulative failures of the looks", got=list(path), remedy=remedy))

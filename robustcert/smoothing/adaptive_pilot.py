"""Estimate a radius with as few draws as possible: a pilot plans how many draws the certificate takes.

The pilot's draws, of a stream of their own, select the candidate and the size n of the main sample: the smallest whose
radius, were the candidate as frequent as in the pilot, would lose at most a tolerance against that of n_max draws.
Given the pilot, the main sample's votes are Bin(n, p), so its plain Clopper-Pearson bound holds at the full alpha, and
nothing is paid for adapting n. That takes two things: no draw of the pilot counts in the main sample, and the main
sample is neither cut short nor extended once its votes are seen. Torch-free.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

from robustcert.errors import InputError, expected
from robustcert.smoothing.confidence import ABSTAIN_FROM, failure_upper_bound
from robustcert.smoothing.noise_kinds import KINDS, NoiseKind

FIRST_PILOT = 100
LARGEST_PILOT = 10_000
PILOT_SHARE = 10  # a pilot is large enough at a tenth of the main sample
GROWTH = (3, 2)
HOPELESS_ALPHA = 0.02
SMALLEST_MAIN = 100
RATIO = 1.1
TOLERANCE = 0.05
ABSOLUTE = 0.01
GAUSSIAN = KINDS["gaussian"]


@dataclass(frozen=True, kw_only=True)
class PilotStep:
    """`more` draws that the pilot still wants; with none, the main sample takes `n` (0: abstain)."""

    more: int
    n: int


def pilot_draws(
    failures: int | None,
    drawn: int,
    *,
    alpha: float,
    n_max: int,
    tolerance: float = TOLERANCE,
    absolute: float = ABSOLUTE,
    kind: NoiseKind = GAUSSIAN,
) -> PilotStep:
    """What to do after `drawn` pilot draws, of which `failures` are not for the class of most votes.

    None failures and none drawn: how the pilot starts. `tolerance`: share of the radius that n_max draws would give
    that may be lost; `absolute`: loss that never matters, in units of sigma.
    """
    if failures is None or drawn == 0:
        return PilotStep(more=min(FIRST_PILOT, n_max), n=0)
    n = main_draws(failures, drawn, alpha=alpha, n_max=n_max, tolerance=tolerance, absolute=absolute, kind=kind)
    if n == 0 or PILOT_SHARE * drawn >= n or drawn >= LARGEST_PILOT:
        return PilotStep(more=0, n=n)
    return PilotStep(more=_grown(drawn) - drawn, n=0)


@lru_cache(maxsize=1 << 14)
def main_draws(
    failures: int,
    drawn: int,
    *,
    alpha: float,
    n_max: int,
    tolerance: float = TOLERANCE,
    absolute: float = ABSOLUTE,
    kind: NoiseKind = GAUSSIAN,
) -> int:
    """Size of the main sample that a pilot with these failures plans; 0 where the class looks like a minority.

    >>> main_draws(0, 100, alpha=0.001, n_max=100_000), main_draws(10, 100, alpha=0.001, n_max=100_000)
    (49038, 4526)
    """
    _require_pilot(failures, drawn, tolerance=tolerance, absolute=absolute)
    if failure_upper_bound(drawn - failures, drawn, alpha=HOPELESS_ALPHA) <= ABSTAIN_FROM:
        return 0

    def radius_of(n: int) -> float:
        votes = (drawn - failures) * n // drawn
        failure = failure_upper_bound(n - votes, n, alpha=alpha)
        return kind.radius(failure, sigma=1.0) if failure < ABSTAIN_FROM else 0.0

    best = radius_of(n_max)
    if best <= 0:
        return n_max
    enough = min((1 - tolerance) * best, best - absolute)
    return next((n for n in _sizes(n_max) if 0 < radius_of(n) >= enough), n_max)


def _require_pilot(failures: int, drawn: int, *, tolerance: float, absolute: float) -> None:
    if not (drawn > 0 and 0 <= failures <= drawn):
        got = f"{failures} failures of {drawn}"
        raise InputError(expected("failures of a pilot that was drawn", got=got, remedy="count every pilot draw once"))
    if not (0 < tolerance < 1 and absolute >= 0):
        got = f"tolerance {tolerance}, absolute {absolute}"
        raise InputError(expected("0 < tolerance < 1 and absolute >= 0", got=got, remedy="correct them"))


def _grown(drawn: int) -> int:
    """Size of a pilot after one more step: half as many again, rounded up."""
    return -(-GROWTH[0] * drawn // GROWTH[1])


@lru_cache
def _sizes(n_max: int) -> tuple[int, ...]:
    """Sizes that a main sample may have: geometric from 100, and n_max."""
    found, x = [], float(SMALLEST_MAIN)
    while math.ceil(x) < n_max:
        found.append(math.ceil(x))
        x *= RATIO
    return (*found, n_max)

"""Exact intervals for rates, and how numbers are rounded when they become claims.

Proportions are bounded by Clopper and Pearson (1934), always computed in failures, where they are accurate near 1;
Wilson (1927) is for plots only, since it covers too rarely near 0 and 1. Two classifiers are compared on the same
samples: the exact McNemar test and the score interval of Tango (1998), never two unpaired intervals.

Convention of every `Rate`: a two-sided interval at `confidence`, of which each end fails with probability at most
(1 - confidence) / 2. A criterion is judged on one end, so it errs with at most that probability.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from scipy.special import bdtr, betainccinv, ndtri

from robustcert.errors import InputError, expected

CONFIDENCE = 0.95
DIGITS = 6
PRINTED_DIGITS = 3
BISECTIONS = 60


@dataclass(frozen=True, kw_only=True)
class Rate:
    """`count` of `of`, with its interval at `confidence`; decimal strings, `lower` rounded down and `upper` up.

    It prints with its interval and denominator, and has no float value and no format: a bare percentage is no claim.

    >>> print(rate(430, 449))
    0.958 [0.934, 0.975] (430 of 449, 95 %)
    """

    count: int
    of: int
    lower: str
    estimate: str
    upper: str
    confidence: str

    def __str__(self) -> str:
        lower, upper = round_down(self.lower, PRINTED_DIGITS), round_up(self.upper, PRINTED_DIGITS)
        estimate = _decimal(round(Fraction(self.count, self.of) * 10**PRINTED_DIGITS), PRINTED_DIGITS)
        percent = f"{(100 * Decimal(self.confidence)).normalize():f}"
        return f"{estimate} [{lower}, {upper}] ({self.count} of {self.of}, {percent} %)"


def rate(count: int, of: int, confidence: float = CONFIDENCE) -> Rate:
    """`count` of `of` with its two-sided Clopper-Pearson interval; InputError unless 0 <= count <= of and of > 0."""
    lower, upper = binomial_interval(count, of, confidence=confidence)
    return rate_between(count, of, lower=lower, upper=upper, confidence=confidence)


def rate_between(count: int, of: int, *, lower: float, upper: float, confidence: float) -> Rate:
    """`count` of `of` with bounds that were found elsewhere; rounded outward."""
    _require_counts(count, of)
    return Rate(
        count=count,
        of=of,
        lower=round_down(lower),
        estimate=_decimal(round(Fraction(count, of) * 10**DIGITS), DIGITS),
        upper=round_up(upper),
        confidence=str(confidence),
    )


def binomial_interval(count: int, of: int, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Two-sided Clopper-Pearson interval of a proportion: each end fails with at most (1 - confidence) / 2.

    >>> [round(end, 6) for end in binomial_interval(10, 10)]
    [0.691503, 1.0]
    """
    alpha = one_side(confidence)
    return lower_bound(count, of, alpha=alpha), upper_bound(count, of, alpha=alpha)


def lower_bound(count: int, of: int, *, alpha: float) -> float:
    """One-sided Clopper-Pearson lower bound: it exceeds the true proportion with probability at most `alpha`."""
    _require_counts(count, of)
    return 1.0 - upper_bound(of - count, of, alpha=alpha)


def upper_bound(count: int, of: int, *, alpha: float) -> float:
    """One-sided Clopper-Pearson upper bound, full relative accuracy near 0: the p with P(Bin(of, p) <= count) = alpha.

    >>> upper_bound(0, 3000, alpha=0.05) < 0.001
    True
    """
    _require_counts(count, of)
    _require_probability(alpha, "alpha")
    if count == of:
        return 1.0
    if count == 0:
        return -math.expm1(math.log(alpha) / of)
    return float(betainccinv(count + 1, of - count, alpha))


def wilson_interval(count: int, of: int, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Wilson's score interval (1927), for plots only: near 0 and 1 it covers less than it says."""
    _require_counts(count, of)
    z2 = float(ndtri(one_side(confidence))) ** 2
    centre = (count + z2 / 2) / (of + z2)
    half = math.sqrt(z2 * (count * (of - count) / of + z2 / 4)) / (of + z2)
    return max(0.0, centre - half), min(1.0, centre + half)


def binomial_quantile(probability: float, of: int, alpha: float) -> int:
    """Smallest k with P(Bin(of, alpha) <= k) >= probability.

    >>> binomial_quantile(0.999, 500, 0.001)
    4
    """
    _require_probability(probability, "probability")
    low, high = 0, of
    while low < high:
        middle = (low + high) // 2
        reached = bdtr(middle, of, alpha) >= probability
        low, high = (low, middle) if reached else (middle + 1, high)
    return low


def mcnemar_exact_p(b: int, c: int) -> float:
    """Two-sided exact p-value that two classifiers are equally often right (McNemar 1947, conditional binomial).

    `b` samples are right only under the first, `c` only under the second; those on which both agree don't count.
    """
    _require_counts(b, b + c, smallest=0)
    return 1.0 if b + c == 0 else min(1.0, 2 * float(bdtr(min(b, c), b + c, 0.5)))


def paired_difference_interval(b: int, c: int, n: int, *, confidence: float = CONFIDENCE) -> tuple[float, float]:
    """Interval for the first accuracy minus the second, both on the same `n` samples; Tango's score interval.

    `b` samples are right only under the first, `c` only under the second. T. Tango, Statistics in Medicine 17
    (1998) 891-908. Its level is approximate, at 60 samples 93.4 to 98 % for 95 %: it describes and decides nothing.
    """
    _require_counts(b + c, n)
    _require_counts(b, b + c, smallest=0)
    limit = -float(ndtri(one_side(confidence)))
    return -_score_end(c, b, n, limit), _score_end(b, c, n, limit)


def one_side(confidence: float) -> float:
    """Failure probability of one end of a two-sided interval."""
    _require_probability(confidence, "confidence")
    return (1 - confidence) / 2


def round_down(value: float | str | Fraction, digits: int = DIGITS) -> str:
    """The largest decimal of `digits` places that is at most `value`.

    >>> round_down(0.49961, 3), round_down(1.0)
    ('0.499', '1.000000')
    """
    return _decimal(math.floor(Fraction(value) * 10**digits), digits)


def round_up(value: float | str | Fraction, digits: int = DIGITS) -> str:
    """The smallest decimal of `digits` places that is at least `value`.

    >>> round_up("0.1001", 3)
    '0.101'
    """
    return _decimal(math.ceil(Fraction(value) * 10**digits), digits)


def _decimal(whole: int, digits: int) -> str:
    return f"{Decimal(whole).scaleb(-digits):f}"


def _score_end(b: int, c: int, n: int, limit: float) -> float:
    """Upper end: the largest difference whose score statistic is at least -limit, by bisection."""
    low, high = (b - c) / n, 1.0
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        low, high = (middle, high) if _score(b, c, n, middle) >= -limit else (low, middle)
    return high


def _score(b: int, c: int, n: int, difference: float) -> float:
    """(b - c - n d) / its standard error at the restricted maximum likelihood estimate under difference d."""
    linear = -b - c + (2 * n - b + c) * difference
    root = math.sqrt(max(0.0, linear**2 + 8 * n * c * difference * (1 - difference)))
    only_second = (root - linear) / (4 * n)
    variance = n * (2 * only_second + difference * (1 - difference))
    distance = b - c - n * difference
    if variance <= 0:
        return math.copysign(math.inf, distance) if distance else 0.0
    return distance / math.sqrt(variance)


def _require_counts(count: int, of: int, *, smallest: int = 1) -> None:
    if of < smallest or not 0 <= count <= of:
        what = f"0 <= count <= of and of >= {smallest}"
        raise InputError(expected(what, got=f"{count} of {of}", remedy="count samples of a set that is not empty"))


def _require_probability(value: float, name: str) -> None:
    if not 0 < value < 1:
        raise InputError(expected(f"0 < {name} < 1", got=value, remedy="give a probability"))

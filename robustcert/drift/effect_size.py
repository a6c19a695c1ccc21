"""How large a difference is, whatever the number of rows: with enough rows any difference is significant.

Standardised mean difference: J. Cohen, Statistical Power Analysis for the Behavioral Sciences (1988), who calls 0.2
small, 0.5 medium and 0.8 large. Cramer's V without its bias: W. Bergsma, Journal of the Korean Statistical Society 42
(2013) 323-328. Other scores are put on the scale of the first as an *equivalent shift*: by how many standard deviations
a normal column would have to move to get that score.
"""

from __future__ import annotations

import math

from scipy.special import ndtr, ndtri

from robustcert.drift.moments import Moments
from robustcert.drift.thresholds import ChiSquareLaw

LARGEST_SHIFT = 16.0  # two normal columns that far apart share nothing; scores of 1 would be infinite shifts


def standardised_mean_difference(reference: Moments, window: Moments) -> float:
    """(window's mean - reference's mean) / pooled standard deviation; signed infinity where neither varies.

    >>> standardised_mean_difference(Moments(2, 0.0, 2.0), Moments(2, 1.0, 2.0))
    0.7071067811865475
    """
    apart = window.mean - reference.mean
    if apart == 0 or not reference.count or not window.count:
        return 0.0
    variance = (reference.squares + window.squares) / max(1, reference.count + window.count - 2)
    return apart / math.sqrt(variance) if variance > 0 else math.copysign(math.inf, apart)


def cramers_v(score: float, *, degrees: int, n: int, m: int) -> float:
    """Cramer's V of a chi-square of two samples, 0 to 1, without the part that chance alone contributes.

    V^2 = (chi-square - degrees) / (n + m), but with both samples weighed alike (4 n m / (n + m)^2), so that V says how
    far apart the distributions are and not how unequal the samples.
    """
    return min(1.0, math.sqrt(max(0.0, score - degrees) * (1 / n + 1 / m)) / 2)


def score_of_cramers_v(effect: float, *, degrees: int, n: int, m: int) -> float:
    """The chi-square that has this V."""
    return degrees + (2 * effect) ** 2 / (1 / n + 1 / m)


def shift_of_chi_square(score: float, law: ChiSquareLaw, *, n: int, m: int) -> float:
    """Of a score whose clean law is `law`: PSI of two normals `d` deviations apart is d^2, JS near d^2 / 8.

    The expected value of a clean score is subtracted first.
    """
    return math.sqrt(max(0.0, score / law.scale - law.degrees) * (1 / n + 1 / m))


def score_of_shift(effect: float, law: ChiSquareLaw, *, n: int, m: int) -> float:
    """The score that has this equivalent shift."""
    return law.scale * (law.degrees + effect**2 / (1 / n + 1 / m))


def shift_of_distance(distance: float) -> float:
    """Of a Kolmogorov-Smirnov distance: two normals d deviations apart have distance 2 Phi(d / 2) - 1.

    >>> round(shift_of_distance(distance_of_shift(0.5)), 6)
    0.5
    """
    return min(LARGEST_SHIFT, max(0.0, 2 * float(ndtri((1 + distance) / 2))))


def distance_of_shift(effect: float) -> float:
    """The Kolmogorov-Smirnov distance that has this equivalent shift."""
    return 2 * float(ndtr(effect / 2)) - 1


def shift_of_auc(auc: float) -> float:
    """Of an area under the curve: two normals d deviations apart have Phi(d / root 2); 0 at 0.5 and below."""
    return min(LARGEST_SHIFT, max(0.0, math.sqrt(2) * float(ndtri(auc))))


def auc_of_shift(effect: float) -> float:
    """The area under the curve that has this equivalent shift."""
    return float(ndtr(effect / math.sqrt(2)))
